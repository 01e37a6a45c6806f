"""The store in memory: the same behaviour without a disk, for tests. The contract suite tests both stores."""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Callable, Sequence

from master.store.interface import (
    Commit,
    Compacted,
    Compare,
    CompareFailed,
    Delete,
    KeyValue,
    Put,
    Revision,
    StoreUnavailable,
)


class MemoryStore:
    """A dictionary with revisions. While `fail` is true, commits fail as if the disk were broken."""

    def __init__(self, *, history: int = 5000) -> None:
        self._keys: dict[str, KeyValue] = {}
        self._log: deque[Commit] = deque()
        self._revision = Revision(0)
        self._compacted = Revision(0)
        self._keep = history
        self._listeners: list[Callable[[Sequence[Commit]], None]] = []
        self._closed = False
        self.fail = False

    async def get(self, key: str) -> KeyValue | None:
        self._check()
        return self._keys.get(key)

    async def list(
        self, prefix: str, *, after: str = "", limit: int | None = None
    ) -> tuple[builtins.list[KeyValue], Revision]:
        self._check()
        keys = sorted(key for key in self._keys if key.startswith(prefix) and key > after)
        return [self._keys[key] for key in keys[:limit]], self._revision

    async def commit(self, compares: Sequence[Compare], writes: Sequence[Put | Delete]) -> Revision:
        self._check()
        if self.fail:
            raise StoreUnavailable("the disk failed")
        for compare in compares:
            current = self._keys.get(compare.key)
            if (current.mod_revision if current else 0) != compare.mod_revision:
                raise CompareFailed(compare.key)
        changes = self._write(writes, Revision(self._revision + 1))
        if not changes:
            return self._revision
        self._revision = Revision(self._revision + 1)
        commit = Commit(self._revision, tuple(changes))
        self._log.append(commit)
        if len(self._log) > self._keep:
            await self.compact(self._log[len(self._log) - self._keep].revision)
        for listener in self._listeners:
            listener((commit,))
        return commit.revision

    def _write(self, writes: Sequence[Put | Delete], revision: Revision) -> builtins.list[tuple[str, bytes | None]]:
        changes: builtins.list[tuple[str, bytes | None]] = []
        for write in writes:
            current = self._keys.get(write.key)
            if isinstance(write, Put):
                created = current.create_revision if current else revision
                self._keys[write.key] = KeyValue(write.key, write.value, revision, created)
                changes.append((write.key, write.value))
            elif current is not None:
                del self._keys[write.key]
                changes.append((write.key, None))
        return changes

    def listen(self, listener: Callable[[Sequence[Commit]], None]) -> None:
        self._listeners.append(listener)

    async def check(self) -> None:
        self._check()
        if self.fail:
            raise StoreUnavailable("the disk failed")

    async def history(self, after: Revision) -> builtins.list[Commit]:
        self._check()
        if after < self._compacted:
            raise Compacted(self._compacted)
        return [commit for commit in self._log if commit.revision > after]

    async def compact(self, before: Revision) -> None:
        self._check()
        if before - 1 > self._compacted:
            self._compacted = Revision(min(before - 1, self._revision))
            while self._log and self._log[0].revision <= self._compacted:
                self._log.popleft()

    async def close(self) -> None:
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
