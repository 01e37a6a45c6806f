"""Completion scripts as text: one generator a shell, from the same description of commands, options and values.

bash and zsh complete by position; fish offers what any position of a command takes. Labs and hosts are looked up by
the shell when it completes, from the directories of the labs.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

_LABS: Final = "/var/lib/sampan/labs"
"""lab.layout.LABS_ROOT; a completion script must not need the lab's modules to be made."""
_HEADER: Final = "Completion of `sampan`, made by `sampan completion {}` from its argument parsers."


class Kind(Enum):
    """What a value is."""

    NOTHING = "nothing"
    """Something that no shell can guess."""
    WORDS = "words"
    FILES = "files"
    DIRECTORIES = "directories"
    LABS = "labs"
    HOSTS = "hosts"
    """Hosts of the lab that SAMPAN_LAB names, or of the default lab."""


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an option, or a positional argument; `words` are the choices."""

    name: str
    kind: Kind
    words: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """`value` is None for a switch."""

    flags: tuple[str, ...]
    summary: str
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or action, with the line about it."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class Completions:
    """What can stand after `sampan` and these words."""

    words: tuple[str, ...]
    actions: tuple[Entry, ...]
    options: tuple[Option, ...]
    values: tuple[Value, ...]


def bash(tree: Sequence[Completions]) -> str:
    """Sourced, or loaded by bash-completion."""
    return _BASH % {"header": _HEADER.format("bash"), "labs": _LABS, "cases": "\n".join(map(_bash_case, tree))}


_BASH: Final = """\
# %(header)s

# Sets, for a command with its actions: its actions, options, options with a value (FLAG:KIND), positional arguments.
_sampan_describe() {
    actions= options= valued= values=()
    case $1 in
%(cases)s
    esac
}

_sampan() {
    local word=${COMP_WORDS[COMP_CWORD]} path= position=0 option= kind= i
    local actions options valued values
    _sampan_describe ""
    for ((i = 1; i < COMP_CWORD; i++)); do
        local passed=${COMP_WORDS[i]}
        if [[ $passed == = ]]; then
            continue # bash makes three words of --option=value
        elif [[ -n $option ]]; then
            option=
        elif [[ $passed == -- ]]; then
            COMPREPLY=($(compgen -c -- "$word"))
            return
        elif [[ " $valued" == *" $passed:"* ]]; then
            option=$passed
        elif [[ $passed == -* ]]; then
            continue
        elif [[ " $actions " == *" $passed "* ]]; then
            path=${path:+$path }$passed position=0
            _sampan_describe "$path"
        else
            ((position++))
        fi
    done
    [[ $word == = ]] && word=
    if [[ -n $option ]]; then
        kind=" $valued " kind=${kind#* "$option":} kind=${kind%%%% *}
    elif [[ $word == -* ]]; then
        kind=${options// /,}
    elif [[ -n $actions ]]; then
        kind=${actions// /,}
    else
        kind=${values[position]:-}
        if [[ -z $kind && ${#values[@]} -gt 0 && ${values[${#values[@]} - 1]} == *... ]]; then
            kind=${values[${#values[@]} - 1]}
        fi
        kind=${kind%%...}
    fi
    local lab=${SAMPAN_LAB:-default}
    case $kind in
    "" | @nothing) ;;
    @files) compopt -o default 2>/dev/null ;;
    @directories) COMPREPLY=($(compgen -d -- "$word")) ;;
    @labs) COMPREPLY=($(compgen -W "$(cd %(labs)s 2>/dev/null && echo *)" -- "$word")) ;;
    @hosts) COMPREPLY=($(compgen -W "$(cd "%(labs)s/$lab/hosts" 2>/dev/null && echo *)" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "${kind//,/ }" -- "$word")) ;;
    esac
}

complete -F _sampan sampan
"""


def _bash_case(node: Completions) -> str:
    flags = [flag for option in node.options for flag in option.flags]
    valued = [f"{flag}:{_bash_kind(option.value)}" for option in node.options if option.value for flag in option.flags]
    values = [_bash_kind(value) + ("..." if value.repeated else "") for value in node.values]
    return (
        f'    "{" ".join(node.words)}")\n'
        f'        actions="{" ".join(entry.name for entry in node.actions)}"\n'
        f'        options="{" ".join(flags)}"\n'
        f'        valued="{" ".join(valued)}"\n'
        f"        values=({' '.join(values)})\n"
        "        ;;"
    )


def _bash_kind(value: Value) -> str:
    return ",".join(value.words) if value.kind is Kind.WORDS else f"@{value.kind.value}"


def zsh(tree: Sequence[Completions]) -> str:
    """A file of the function path (`_sampan`), or evaluated."""
    functions = "\n\n".join(map(_zsh_function, tree))
    return _ZSH % {"header": _HEADER.format("zsh"), "labs": _LABS, "functions": functions}


_ZSH: Final = """\
#compdef sampan
# %(header)s

_sampan_labs() {
    local -a found=(%(labs)s/*(N:t))
    compadd -a found
}

_sampan_hosts() {
    local -a found=(%(labs)s/${SAMPAN_LAB:-default}/hosts/*(N:t))
    compadd -a found
}

%(functions)s

# Loaded from the function path, this file is the body of the function; evaluated, it only defines it.
if [[ ${funcstack[1]:-} == _sampan ]]; then
    _sampan_ "$@"
else
    _sampan() { _sampan_ "$@" }
    compdef _sampan sampan
fi
"""
_ZSH_ACTIONS: Final = {
    Kind.NOTHING: " ",
    Kind.FILES: "_files",
    Kind.DIRECTORIES: "_files -/",
    Kind.LABS: "_sampan_labs",
    Kind.HOSTS: "_sampan_hosts",
}


def _zsh_function(node: Completions) -> str:
    name = "_".join(("_sampan", *node.words)) if node.words else "_sampan_"
    specs = [spec for option in node.options for spec in _zsh_option(option)]
    if not node.actions:
        specs += [
            f"{'*' if value.repeated else position}:{_zsh_text(value.name)}:{_zsh_action(value)}"
            for position, value in enumerate(node.values, 1)
        ]
        return f"{name}() {{\n    _arguments -S {_zsh_lines(specs)}\n}}"
    entries = "\n".join(f"            {_quoted(entry.name + ':' + _zsh_text(entry.summary))}" for entry in node.actions)
    specs += ["1: :->action", "*:: :->rest"]
    return f"""\
{name}() {{
    local context state state_descr line
    typeset -A opt_args
    _arguments -C {_zsh_lines(specs)}
    case $state in
    action)
        local -a actions=(
{entries}
        )
        _describe action actions
        ;;
    rest)
        (( $+functions[_sampan{"".join("_" + word for word in node.words)}_$line[1]] )) &&
            _sampan{"".join("_" + word for word in node.words)}_$line[1]
        ;;
    esac
}}"""


def _zsh_option(option: Option) -> Iterator[str]:
    others = f"({' '.join(option.flags)})" if len(option.flags) > 1 else ""
    for flag in option.flags:
        spec = f"{others}{flag}[{_zsh_text(option.summary)}]"
        yield spec + (f":{_zsh_text(option.value.name)}:{_zsh_action(option.value)}" if option.value else "")


def _zsh_action(value: Value) -> str:
    return f"({' '.join(value.words)})" if value.kind is Kind.WORDS else _ZSH_ACTIONS[value.kind]


def _zsh_lines(specs: Sequence[str]) -> str:
    return " ".join(f"\\\n        {_quoted(spec)}" for spec in specs)


def _zsh_text(text: str) -> str:
    """Without the characters that separate the parts of a specification."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def fish(tree: Sequence[Completions]) -> str:
    """Sourced, or loaded from a directory of completions."""
    known = " ".join(_quoted(" ".join(node.words)) for node in tree if node.words)
    lines = [line for node in tree for line in _fish_lines(node)]
    return _FISH % {"header": _HEADER.format("fish"), "labs": _LABS, "known": known, "lines": "\n".join(lines)}


_FISH: Final = """\
# %(header)s

# Whether the words so far name exactly this command and its actions.
function __sampan_at
    set -l known %(known)s
    set -l path
    for word in (commandline -opc)[2..]
        if contains -- (string join -- ' ' $path $word) $known
            set -a path $word
        end
    end
    test "$path" = "$argv[1]"
end

function __sampan_labs
    set -l found %(labs)s/*
    string replace -r '^.*/' '' -- $found
end

function __sampan_hosts
    set -l lab default
    set -q SAMPAN_LAB; and set lab $SAMPAN_LAB
    set -l found %(labs)s/$lab/hosts/*
    string replace -r '^.*/' '' -- $found
end

complete -c sampan -f
%(lines)s
"""
_FISH_VALUES: Final = {
    Kind.NOTHING: "-x",
    Kind.FILES: "-r -F",
    Kind.DIRECTORIES: "-x -a '(__fish_complete_directories)'",
    Kind.LABS: "-x -a '(__sampan_labs)'",
    Kind.HOSTS: "-x -a '(__sampan_hosts)'",
}


def _fish_lines(node: Completions) -> Iterator[str]:
    condition = f"complete -c sampan -n '__sampan_at \"{' '.join(node.words)}\"'"
    for entry in node.actions:
        yield f"{condition} -a {_quoted(entry.name)} -d {_quoted(entry.summary)}"
    for option in node.options:
        flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
        value = f" {_fish_value(option.value)}" if option.value else ""
        yield f"{condition} {flags}{value} -d {_quoted(option.summary)}"
    for argument in node.values:
        match argument.kind:
            case Kind.NOTHING:
                pass
            case Kind.FILES:
                yield f"{condition} -F"
            case _:
                yield f"{condition} {_fish_value(argument).removeprefix('-x ')}"


def _fish_value(value: Value) -> str:
    return f"-x -a {_quoted(' '.join(value.words))}" if value.kind is Kind.WORDS else _FISH_VALUES[value.kind]


def _quoted(text: str) -> str:
    """In single quotes, as all three shells understand them."""
    return "'" + text.replace("'", "'\\''") + "'"
