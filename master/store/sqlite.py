"""The store on SQLite: one file, one writer thread, durable when acknowledged.

Owns the thread; database.py writes the file. WAL with synchronous=FULL: a commit is on the disk before its caller and
the listeners learn about it. Commits that arrive during a write are written next as a group with one fsync.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from master.store.database import Database
from master.store.interface import (
    Commit,
    Compare,
    Delete,
    KeyValue,
    Put,
    Revision,
    StoreError,
    StoreUnavailable,
)

R = TypeVar("R")
log = logging.getLogger(__name__)

_MAX_GROUP = 256


@dataclass(slots=True)
class Job:
    """Work for the writer thread: a commit, or a function to call."""

    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    compares: Sequence[Compare] = ()
    writes: Sequence[Put | Delete] = ()
    call: Callable[[], Any] | None = None


class SqliteStore:
    """The key space in one SQLite file. Open it with `await SqliteStore.open(path)`, or begin that with `opening`."""

    def __init__(self, path: Path, *, history: int) -> None:
        self._path = path
        self._keep = history
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[Sequence[Commit]], None]] = []
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._closed = False
        self._database: Database
        # Why the database could not be opened.
        self._failure: Exception | None = None

    @classmethod
    async def open(cls, path: Path, *, history: int = 5000) -> SqliteStore:
        """Opens or creates the database. It keeps at least the last `history` commits.

        Raises StoreUnavailable, StoreDamaged.
        """
        store = cls.opening(path, history=history)
        await store.opened()
        return store

    @classmethod
    def opening(cls, path: Path, *, history: int = 5000) -> SqliteStore:
        """Like `open`, but returns at once. The store's thread opens and checks the file; wait for it with `opened`."""
        store = cls(path, history=history)
        store._thread.start()
        return store

    async def opened(self) -> None:
        """Waits until the database is open. Raises StoreUnavailable, StoreDamaged."""
        try:
            await self._ask(self._check_opened)
        except StoreError:
            self._closed = True
            self._jobs.put(None)
            raise

    # -- the Protocol, on the event loop --------------------------------------------------------------------------

    async def get(self, key: str) -> KeyValue | None:
        return await self._ask(lambda: self._database.get(key))

    async def list(
        self, prefix: str, *, after: str = "", limit: int | None = None
    ) -> tuple[builtins.list[KeyValue], Revision]:
        return await self._ask(lambda: self._database.scan(prefix, after=after, limit=limit))

    async def commit(self, compares: Sequence[Compare], writes: Sequence[Put | Delete]) -> Revision:
        self._check()
        loop = asyncio.get_running_loop()
        job = Job(loop, loop.create_future(), compares, writes)
        self._jobs.put(job)
        revision: Revision = await job.answer
        return revision

    def listen(self, listener: Callable[[Sequence[Commit]], None]) -> None:
        self._listeners.append(listener)

    async def check(self) -> None:
        await self._ask(self._database.check)

    async def history(self, after: Revision) -> builtins.list[Commit]:
        return await self._ask(lambda: self._database.history(after))

    async def copy(self, path: Path) -> Revision:
        """Copies the store to a new file. Returns the revision of the copy. Commits wait meanwhile.

        Raises StoreUnavailable.
        """
        return await self._ask(lambda: self._database.copy(path))

    async def compact(self, before: Revision) -> None:
        await self._ask(lambda: self._database.compact(before))

    async def close(self) -> None:
        if self._closed:
            return
        await self._ask(lambda: None)
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _ask(self, call: Callable[[], R]) -> R:
        self._check()
        loop = asyncio.get_running_loop()
        job = Job(loop, loop.create_future(), call=call)
        self._jobs.put(job)
        answer: R = await job.answer
        return answer

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    # -- the writer thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._open()
        while (job := self._jobs.get()) is not None:
            if job.call is None:
                job = self._run_group(job)
            if job is not None and job.call is not None:
                self._run_call(job)
        if hasattr(self, "_database"):
            self._database.close()

    def _open(self) -> None:
        try:
            self._database = Database(self._path, history=self._keep)
        except (StoreError, sqlite3.Error, OSError) as error:
            self._failure = error

    def _check_opened(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run_group(self, first: Job) -> Job | None:
        """Writes `first` and all queued commits up to the next job that is not a commit. Returns that job, or None."""
        group, other = [first], None
        while len(group) < _MAX_GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            if job.call is not None:
                other = job
                break
            group.append(job)
        results: Sequence[Any]
        try:
            results, commits = self._database.write([(job.compares, job.writes) for job in group])
        except Exception as error:
            # The waiting callers must get an error, and the thread must survive for later jobs.
            log.exception("store %s: unexpected error", self._path)
            results, commits = [StoreUnavailable(f"{self._path}: {error}") for _ in group], []
        self._answer(group, results, commits)
        return other

    def _run_call(self, job: Job) -> None:
        assert job.call is not None
        result: Any
        try:
            result = job.call()
        except StoreError as error:
            result = error
        except (sqlite3.Error, OSError) as error:
            result = StoreUnavailable(f"{self._path}: {error}")
        self._answer([job], [result], [])

    def _answer(self, group: builtins.list[Job], results: Sequence[Any], commits: Sequence[Commit]) -> None:
        def deliver() -> None:
            if commits:
                for listener in self._listeners:
                    listener(commits)
            for job, result in zip(group, results, strict=True):
                if job.answer.done():
                    continue
                if isinstance(result, BaseException):
                    job.answer.set_exception(result)
                else:
                    job.answer.set_result(result)

        try:
            group[0].loop.call_soon_threadsafe(deliver)
        except RuntimeError:
            # The loop is closed, so no caller waits for the answer.
            return
