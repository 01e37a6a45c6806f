"""The SQLite store on a disk that can lose power: a real file, and a process that dies at a chosen place of a commit.

The store's work is done on the event loop instead of in its thread. So a seed repeats a run exactly, and the process
can die between any two steps. What a restart finds on the disk is a copy of the files at that instant: all of what was
synced, and of what was not a random part.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from master.store.interface import Compare, Delete, Put, Revision
from master.store.sqlite import Job, SqliteStore

FILE: Final = "store.db"
_WAL: Final = f"{FILE}-wal"
_MARK: Final = f"{FILE}-mark"
# Where the process dies: before the group of commits; in a commit; before the transaction is on the disk; when a part
# of it is; when it is on the disk, but the mark is not; before the callers get an answer; after that.
PLACES: Final = ("queued", "writing", "prepared", "torn", "unmarked", "unanswered", "answered")
# More commits than a run has: the store keeps its whole log.
HISTORY: Final = 1_000_000
NEVER: Final = 1 << 40
_PAGE: Final = 4096
# The log is written back into the file after this number of pages: often during a test.
_CHECKPOINT_PAGES: Final = 40


class Killed(BaseException):
    """The process has died."""


@dataclass
class Death:
    """When and where the process dies, and where its disk can be found then. `groups`: commits until then."""

    directory: Path
    left_in: Path
    chance: Random
    groups: int
    place: str
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    first_mark: bytes = b""
    # The chance of a commit to fail as on a full disk.
    errors: float = 0.0

    @classmethod
    def never(cls, directory: Path) -> Death:
        return cls(directory, directory, Random(), NEVER, "")

    def commit_fails(self) -> bool:
        return self.errors > 0 and self.chance.random() < self.errors

    def soon(self) -> None:
        """Dies after a few more commits, as a master does that an administrator starts again."""
        self.groups, self.place = 3, "queued"

    def at(self, place: str) -> None:
        """Dies if this is the place."""
        if self.groups <= 0 and self.place == place:
            self.die(self.content())

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.glob(f"{FILE}*")}

    def die(self, content: dict[str, bytes]) -> None:
        if self.first_mark and self.chance.random() < 0.5:
            # The mark is not synced.
            content[_MARK] = self.first_mark
        self.left_in.mkdir()
        for name, data in content.items():
            (self.left_in / name).write_bytes(data)
        self.dead.set()
        raise Killed

    def torn(self, before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes]:
        """The disk while a transaction is written to the log, or while the log is written back into the file."""
        if before[FILE] != after[FILE] and self.chance.random() < 0.5:
            return {**after, FILE: _mixed_pages(before[FILE], after[FILE], self.chance)}
        old, new = before.get(_WAL, b""), after[_WAL]
        end = self.chance.randrange(len(new))
        return {**before, _WAL: new[:end] + old[end:]}


def _mixed_pages(old: bytes, new: bytes, chance: Random) -> bytes:
    """Some pages are written, and others not yet."""
    pages = range(0, len(new), _PAGE)
    return b"".join((new if chance.random() < 0.5 or at >= len(old) else old)[at : at + _PAGE] for at in pages)


class _Connection:
    """The store's connection. Its process may die before or in each statement."""

    def __init__(self, real: Any, death: Death) -> None:
        self._real = real
        self._death = death

    def execute(self, sql: str, *args: Any) -> Any:
        if sql.startswith("INSERT INTO log"):
            self._death.at("writing")
        if sql != "COMMIT":
            return self._real.execute(sql, *args)
        self._death.at("prepared")
        if self._death.commit_fails():
            self._fail(sql)
        if self._death.groups > 0 or self._death.place != "torn":
            result = self._real.execute(sql)
            self._death.at("unmarked")
            return result
        before = self._death.content()
        self._real.execute(sql)
        return self._death.die(self._death.torn(before, self._death.content()))

    def _fail(self, sql: str) -> None:
        """A disk error. Sometimes the transaction is on the disk nevertheless; then the store needs a restart."""
        if self._death.chance.random() < 0.3:
            self._real.execute(sql)
            self._death.soon()
        raise sqlite3.OperationalError("database or disk is full")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Jobs:
    """The store's queue of work. A task can wait for it."""

    def __init__(self) -> None:
        self._jobs: deque[Job | None] = deque()
        self.some = asyncio.Event()

    def put(self, job: Job | None) -> None:
        self._jobs.append(job)
        self.some.set()

    def get_nowait(self) -> Job | None:
        if not self._jobs:
            self.some.clear()
            raise queue.Empty
        return self._jobs.popleft()


class _Worker:
    """Takes the place of the store's thread."""

    def __init__(self, store: SteppedStore) -> None:
        self._store = store

    def start(self) -> None:
        self._store.work = asyncio.create_task(self._store.run(), name="store")


CommitFault = Callable[[Sequence[Compare], Sequence[Put | Delete]], tuple[Sequence[Compare], Sequence[Put | Delete]]]


class SteppedStore(SqliteStore):
    """The product's store. `fault` changes commits, as a faulty store or pipeline would."""

    work: asyncio.Task[None]

    def __init__(self, path: Path, *, history: int) -> None:
        super().__init__(path, history=history)
        self._own_jobs = _Jobs()
        self._jobs = cast(Any, self._own_jobs)
        self._thread = cast(Any, _Worker(self))
        self.death: Death | None = None
        self.fault: CommitFault | None = None

    @classmethod
    async def start(cls, death: Death, fault: CommitFault | None = None) -> SteppedStore:
        """Opens the store of the directory. From now on the process may die."""
        store = await cls.open(death.directory / FILE, history=HISTORY)
        assert isinstance(store, cls)
        database: Any = store._database
        database._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        # The copies of the files say what was synced. Waiting for the real disk would prove nothing.
        database._db.execute("PRAGMA synchronous = OFF")
        database._db = _Connection(database._db, death)
        death.first_mark = (death.directory / _MARK).read_bytes()
        store.death, store.fault = death, fault
        return store

    async def commit(self, compares: Sequence[Compare], writes: Sequence[Put | Delete]) -> Revision:
        if self.fault is not None:
            compares, writes = self.fault(compares, writes)
        return await super().commit(compares, writes)

    async def run(self) -> None:
        """The work of the thread, until the store is closed or the process dies."""
        self._open()
        try:
            while await self._own_jobs.some.wait():
                await self._wait()
                try:
                    job = self._own_jobs.get_nowait()
                except queue.Empty:
                    continue
                if job is None:
                    break
                self._do(job)
        except Killed:
            pass
        if hasattr(self, "_database"):
            self._database.close()

    async def _wait(self) -> None:
        """Meanwhile more commits arrive, and callers take their answers."""
        for _ in range(self.death.chance.randrange(6) if self.death is not None else 0):
            await asyncio.sleep(0)
        if self.death is not None:
            self.death.at("answered")

    def _do(self, job: Job) -> None:
        other: Job | None = job
        if job.call is None:
            if self.death is not None:
                self.death.groups -= 1
                self.death.at("queued")
            other = self._run_group(job)
        if other is not None:
            self._run_call(other)

    def _answer(self, group: Any, results: Any, commits: Any) -> None:
        if self.death is not None:
            self.death.at("unanswered")
        super()._answer(group, results, commits)

    async def close(self) -> None:
        self._closed = True
        self._own_jobs.put(None)
        await self.work
