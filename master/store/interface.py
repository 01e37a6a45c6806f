"""The store's Protocol: a key space with revisions and conditional commits over several keys.

It requires nothing that etcd cannot do. Implementations: sqlite.py, and memory.py for tests.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from master.store.errors import Compacted, CompareFailed, StoreDamaged, StoreError, StoreUnavailable

# The store's counter. Each commit that changes something gets the next number.
Revision = NewType("Revision", int)


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A key with its current value. `create_revision`: of the commit that created it; `mod_revision`: of the last."""

    key: str
    value: bytes
    mod_revision: Revision
    create_revision: Revision


@dataclass(frozen=True, slots=True)
class Compare:
    """True if the key was last written at `mod_revision`; with 0: if the key does not exist."""

    key: str
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a value."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a key. Does nothing if the key does not exist."""

    key: str


Write = Put | Delete


@dataclass(frozen=True, slots=True)
class Commit:
    """The changes of one commit: pairs of key and new value, None for a removed key."""

    revision: Revision
    changes: tuple[tuple[str, bytes | None], ...]


class Store(Protocol):
    """The key space. All methods may raise StoreUnavailable."""

    async def get(self, key: str) -> KeyValue | None:
        """The key with its value, or None."""

    async def list(
        self, prefix: str, *, after: str = "", limit: int | None = None
    ) -> tuple[builtins.list[KeyValue], Revision]:
        """The keys with the prefix, in order, and the store's revision at that moment.

        Only those behind the key `after`, and at most `limit` of them.
        """

    async def commit(self, compares: Sequence[Compare], writes: Sequence[Put | Delete]) -> Revision:
        """Does all writes if all comparisons are true; else does none and raises CompareFailed.

        The writes are durable when it returns. Returns the revision of the commit.
        """

    async def check(self) -> None:
        """Raises StoreUnavailable while commits fail. If the last commit failed, it tries a write to find out."""

    async def history(self, after: Revision) -> builtins.list[Commit]:
        """The commits after a revision, oldest first. Raises Compacted when some of them have been removed."""

    def listen(self, listener: Callable[[Sequence[Commit]], None]) -> None:
        """Calls the listener for every future commit: in order, on the event loop, before `commit` returns."""

    async def compact(self, before: Revision) -> None:
        """Removes the history before a revision."""

    async def close(self) -> None:
        """Finishes the commits that are in progress and closes the store."""


__all__ = [
    "Commit",
    "Compacted",
    "Compare",
    "CompareFailed",
    "Delete",
    "KeyValue",
    "Put",
    "Revision",
    "Store",
    "StoreDamaged",
    "StoreError",
    "StoreUnavailable",
    "Write",
]
