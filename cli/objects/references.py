"""How commands name objects: `pod/web`, `pod web db`, `pods,services`, `deployments.apps/web`, `all`.

Only the form is checked here. What a type means, the server knows (targets.py).
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*")
_NAME: Final = re.compile(r"[^/%\s]+")
"""What every name of an object keeps to, as it is a segment of a path (Kubernetes: path segment names)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Objects of one type: those with the names, or without names all that a command selects."""

    word: str
    names: tuple[str, ...] = ()


class References(argparse.Action):
    """Reads all words of a command line together, because the first one decides what the others mean."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, words: Any, *_: object) -> None:
        try:
            setattr(namespace, self.dest, parse(words))
        except argparse.ArgumentTypeError as error:
            parser.error(str(error))


def parse(words: Sequence[str]) -> list[Reference]:
    """Raises ArgumentTypeError."""
    if any("/" in word for word in words):
        return [reference(word) for word in words]
    if not words:
        return []
    types = [_checked(_TYPE, word, "a type") for word in words[0].split(",")]
    names = tuple(checked_name(word) for word in words[1:])
    return [Reference(word, names) for word in types]


def reference(text: str) -> Reference:
    """One object as `TYPE/NAME`. Raises ArgumentTypeError."""
    word, slash, name = text.partition("/")
    if not slash:
        raise argparse.ArgumentTypeError(f'"{text}" is not like node/node2')
    return Reference(_checked(_TYPE, word, "a type"), (checked_name(name),))


def checked_name(text: str) -> str:
    """Raises ArgumentTypeError."""
    if text in (".", ".."):
        raise argparse.ArgumentTypeError(f'"{text}" is not a name')
    return _checked(_NAME, text, "a name")


def _checked(pattern: re.Pattern[str], text: str, noun: str) -> str:
    if not pattern.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}" is not {noun}; objects are named like node/node2')
    return text
