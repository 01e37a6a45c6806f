"""Accounts: the users and groups that an image declares, as values.

Owns the reading of /etc/passwd and /etc/group (passwd(5), group(5)). A line that is not in their form is left out, as
engines do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_UID: Final = 2
_GID: Final = 2
_GID_OF_USER: Final = 3
_LONGEST_ID: Final = 10


class NoSuchAccount(Exception):
    """The image has no user or group of that name; the text says which."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The content of the two files; empty: the image has no such file."""

    passwd: str = ""
    group: str = ""

    def ids(self, user: str) -> tuple[int, int]:
        """The ids of `USER[:GROUP]`, by the rules of engines: a number is always an id, and a user without a group has
        the one of its line, or else 0. Raises NoSuchAccount.
        """
        name, _, group = user.partition(":")
        uid, gid = self._user(name or "0")
        return uid, self._group(group) if group else gid

    def groups_named(self, name: str) -> list[int]:
        """The ids of the groups with this name."""
        return [int(fields[_GID]) for fields in _lines(self.group, _GID) if fields[0] == name]

    def _user(self, name: str) -> tuple[int, int]:
        number = _number(name)
        for fields in _lines(self.passwd, _GID_OF_USER):
            if (int(fields[_UID]) == number) if number is not None else (fields[0] == name):
                return int(fields[_UID]), int(fields[_GID_OF_USER])
        if number is None:
            raise NoSuchAccount(f'the image has no user "{name}"')
        return number, 0

    def _group(self, name: str) -> int:
        number = _number(name)
        if number is not None:
            return number
        ids = self.groups_named(name)
        if not ids:
            raise NoSuchAccount(f'the image has no group "{name}"')
        return ids[0]


def _lines(text: str, last: int) -> Iterator[list[str]]:
    """The lines whose fields from the third to the `last` are ids."""
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) > last and all(_number(field) is not None for field in fields[_UID : last + 1]):
            yield fields


def _number(text: str) -> int | None:
    return int(text) if len(text) <= _LONGEST_ID and text.isascii() and text.isdecimal() else None
