"""Env files: the syntax of files with variables, as the kubelet reads them (a subset of the POSIX shell's).

A line is NAME='value', and a value may have several lines. Inside of the quotes nothing has a meaning of its own. Blank
lines and comments are left out. Pure functions; envsources.py reads the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

_BLANKS: Final = " \t"

EnvFiles = Mapping[tuple[str, str], str]
"""The content of files by the name of the volume and the path in it; those that do not exist are missing."""


class BadEnvFile(Exception):
    """The file breaks the syntax; the text says where and how."""


def value_of(text: str, key: str) -> str:
    """The value of the first variable with this name; empty without one. What follows it is not read.

    Raises BadEnvFile.
    """
    return next((value for name, value in _variables(text) if name == key), "")


def _variables(text: str) -> Iterator[tuple[str, str]]:
    lines = iter(enumerate((line.removesuffix("\r") for line in text.split("\n")), start=1))
    for number, line in lines:
        line = line.lstrip(_BLANKS)
        if not line or line.startswith("#"):
            continue
        name, equals, rest = line.partition("=")
        if not equals:
            raise BadEnvFile(f"line {number}: missing '='")
        if not name:
            raise BadEnvFile(f"line {number}: empty variable name")
        if name.endswith(tuple(_BLANKS)):
            raise BadEnvFile(f"line {number}: whitespace before '=' is not allowed")
        if rest.startswith(tuple(_BLANKS)):
            yield name, ""  # as in a shell, where the value would be of another word
        elif rest.startswith("'"):
            yield name, _quoted(rest[1:], number, lines)
        else:
            raise BadEnvFile(f"line {number}: value must be enclosed in single quotes")


def _quoted(rest: str, first: int, lines: Iterator[tuple[int, str]]) -> str:
    """The value whose opening quote is in line `first`. Takes the lines up to its closing quote."""
    parts, number = [], first
    while "'" not in rest:
        parts.append(rest)
        following = next(lines, None)
        if following is None:
            raise BadEnvFile(f"line {first}: unclosed single quote")
        number, rest = following
    value, _, after = rest.partition("'")
    after = after.lstrip(_BLANKS)
    if after and not after.startswith("#"):
        raise BadEnvFile(f"line {number}: unexpected content after closing quote")
    return "\n".join([*parts, value])
