"""`sampan completion`: completion scripts for bash, zsh and fish, generated from the argument parsers.

Owns what is completed; shells.py has the form for each shell. Importing the commands needs the standard library
only, so the scripts can be made wherever Sampan can be installed.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cli import exits, shells
from cli.parsing import add_command
from cli.shells import Completions, Entry, Kind, Option, Value

_GENERATORS: Final = {"bash": shells.bash, "zsh": shells.zsh, "fish": shells.fish}
_PATHS: Final = {
    "bash": "/usr/local/share/bash-completion/completions/sampan",
    "zsh": "/usr/local/share/zsh/site-functions/_sampan",
    "fish": "/usr/local/share/fish/vendor_completions.d/sampan.fish",
}
"""Where each shell looks for the scripts of programs that are not the distribution's."""
_KINDS: Final = {
    "FILE": Kind.FILES,
    "SOCKET": Kind.FILES,
    "WHEEL|BUNDLE": Kind.FILES,
    "DIR": Kind.DIRECTORIES,
    "HOST": Kind.HOSTS,
}


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "completion",
        description="Print the completion script of a shell. `sampan install` puts it where the shell finds it; "
        "elsewhere, evaluate it in the shell's start-up file.",
    )
    parser.add_argument("shell", choices=tuple(_GENERATORS))
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    print(_GENERATORS[options.shell](tree()), end="")
    return exits.OK


def scripts() -> dict[str, str]:
    """The completion scripts to install: absolute path and text of each."""
    completions = tree()
    return {path: _GENERATORS[shell](completions) for shell, path in _PATHS.items()}


def tree() -> Sequence[Completions]:
    """What can stand after `sampan` and after each command and action, `sampan` first."""
    from cli.main import command_parser

    return list(_walk((), command_parser(None)))


def _walk(words: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[Completions]:
    actions = [action for action in parser._actions if action.help is not argparse.SUPPRESS]
    subparsers = next((action for action in actions if isinstance(action, argparse._SubParsersAction)), None)
    # Only what is listed in the help: an alias has a parser, but no line.
    listed = {} if subparsers is None else {choice.dest: choice.help or "" for choice in subparsers._choices_actions}
    yield Completions(
        words=words,
        actions=tuple(Entry(name, summary) for name, summary in listed.items()),
        options=tuple(_option(action) for action in actions if action.option_strings),
        values=tuple(_value(action) for action in actions if not action.option_strings and action is not subparsers),
    )
    for name in listed:
        assert subparsers is not None
        yield from _walk((*words, name), subparsers.choices[name])


def _option(action: argparse.Action) -> Option:
    summary = (action.help or "").replace("%%", "%")
    return Option(tuple(action.option_strings), summary, None if action.nargs == 0 else _value(action))


def _value(action: argparse.Action) -> Value:
    name = str(action.metavar or action.dest)
    repeated = action.nargs in ("*", "+")
    if action.choices is not None:
        return Value(name, Kind.WORDS, tuple(map(str, action.choices)), repeated=repeated)
    kind = Kind.LABS if action.dest == "lab" else _KINDS.get(name, Kind.NOTHING)
    return Value(name, kind, repeated=repeated)
