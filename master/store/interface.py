"""The store's Protocol: a revisioned key space with conditional commits over several keys.

Nothing here may be what etcd cannot do. Implementations: sqlite.py, and memory.py for tests.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from master.store.errors import Compacted, CompareFailed, StoreDamaged, StoreError, StoreUnavailable

# The store's counter: each commit that writes gets the next one.
Revision = NewType("Revision", int)


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One key as it stands: `create_revision` names the commit that made it, `mod_revision` the last one."""

    key: str
    value: bytes
    mod_revision: Revision
    create_revision: Revision


@dataclass(frozen=True, slots=True)
class Compare:
    """Holds when the key was last written at `mod_revision`; 0: when it does not exist."""

    key: str
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a value."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a key; one that is not there is left so."""

    key: str


Write = Put | Delete


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit changed: a value, or None for a key that was removed."""

    revision: Revision
    changes: tuple[tuple[str, bytes | None], ...]


class Store(Protocol):
    """The key space. All methods may raise StoreUnavailable."""

    async def get(self, key: str) -> KeyValue | None:
        """One key."""

    async def list(self, prefix: str) -> tuple[builtins.list[KeyValue], Revision]:
        """All keys with the prefix in order, and the revision at which they stand so."""

    async def commit(self, compares: Sequence[Compare], writes: Sequence[Put | Delete]) -> Revision:
        """All writes, when all comparisons hold, else CompareFailed and none. Durable when it returns."""

    async def check(self) -> None:
        """StoreUnavailable while commits fail; once one did, the disk is asked whether another would."""

    async def history(self, after: Revision) -> builtins.list[Commit]:
        """The commits after a revision, oldest first; Compacted when some of them are forgotten."""

    def listen(self, listener: Callable[[Sequence[Commit]], None]) -> None:
        """From now on the listener gets every commit, in order, on the event loop and before its author is answered."""

    async def compact(self, before: Revision) -> None:
        """Forgets the commits before a revision."""

    async def close(self) -> None:
        """Finishes what is under way and closes."""


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
