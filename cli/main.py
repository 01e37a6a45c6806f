"""Entry point: chooses the command, configures logging, turns errors into one line and an exit code."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from cli import commands, exits, output
from cli.parsing import Parser, TopParser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    own, rest = split(arguments)
    output.prepare()
    try:
        with _interruptible():
            return _run(own, rest)
    except KeyboardInterrupt:
        print("sampan: interrupted; run the command again to go on", file=sys.stderr)
        return exits.INTERRUPTED


def _run(own: Sequence[str], rest: list[str]) -> int:
    """Print a line about any error and return its exit code. Raises KeyboardInterrupt."""
    debug = False
    try:
        options = command_parser(own).parse_args(own)
        options.rest, debug = rest, options.debug
        _configure_logging(debug=debug)
        return int(options.run(options))
    except Exception as error:  # the last boundary: the person gets one line, the log gets the traceback
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        return _failed(error, debug=debug)


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a command runs, an interrupt is an exception. Before and after that, where nothing could print a line
    about it, an interrupt just ends the process. The entry scripts set SIG_DFL for this; a caller of `main` with
    another handler keeps it.

    Interrupts come in pairs: `timeout` signals its child and then the group, and people press Ctrl-C twice. The second
    one may cut the clean-up of the first short, but not the line about it."""
    ends = signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    if ends:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if ends:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise
    finally:
        # A command may have chosen to ignore interrupts from some point on.
        if ends and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt caused the error: some code raises an error of its own when it is interrupted (Python 3.11
    does while it creates a class)."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _was_interrupted(error.__cause__))


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our arguments, and those that argparse must not see: another program's after `--`, and pytest's after `test`."""
    if "--" in arguments:
        cut = arguments.index("--")
        return list(arguments[:cut]), list(arguments[cut + 1 :])
    command = next((place for place, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    if arguments[command : command + 1] == ["test"] and not {"-h", "--help"} & set(arguments):
        return list(arguments[: command + 1]), list(arguments[command + 1 :])
    return list(arguments), []


def command_parser(arguments: Sequence[str] | None) -> Parser:
    """The parser for these arguments: it knows the command that they name. None: it knows all commands."""
    parser = TopParser()
    parser.add_argument("--debug", action="store_true", help="log details and tracebacks to stderr")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the release and exit")
    available = commands.available()
    name = next((word for word in arguments or () if not word.startswith("-")), "")
    if name and name not in available:
        parser.error(f'there is no command "{name}"; `sampan --help` lists them')
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser, prog="sampan")
    named = list(available) if arguments is None else [name] if name else []
    for module in dict.fromkeys(available[name].module for name in named):
        import_module(module).add(subparsers)
    for name in named:
        subparsers.choices[name].show_example(available[name].example)
    return parser


class _Version(argparse.Action):
    """Imports the master only when the release is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from master.main import VERSION

        print(f"sampan {VERSION}")
        parser.exit()


def _configure_logging(*, debug: bool) -> None:
    """Log to stderr. The daemons replace this by what their configuration says."""
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True
    )


def _failed(error: Exception, *, debug: bool) -> int:
    """Print one line about the error; the exit code follows from its type.

    The types are looked up by name: a package that was not imported cannot have raised the error.
    """
    if debug:
        logging.getLogger(__name__).debug("failed", exc_info=error)
    hint = "; only root may" if isinstance(error, PermissionError) and os.geteuid() != 0 else ""
    print(f"sampan: {str(error) or type(error).__name__}{hint}", file=sys.stderr)
    for name, code in (
        ("cli.exits.WrongUse", exits.USAGE),
        ("lab.errors.NotFound", exits.NOT_FOUND),
        ("netrig.errors.NotFound", exits.NOT_FOUND),
        ("hull.errors.Busy", exits.BUSY),
        ("host.errors.NotInstalled", exits.NOT_FOUND),
        ("host.errors.WrongUse", exits.USAGE),
        ("client.errors.NotFound", exits.NOT_FOUND),
        ("client.errors.ConnectionFailed", exits.UNREACHABLE),
        ("client.errors.TrustFailed", exits.UNREACHABLE),
    ):
        module, _, attribute = name.rpartition(".")
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], attribute)):
            return code
    return exits.FAILED
