"""Blocking calls that may hang for ever, such as those to a file system whose server is gone.

Owns the threads of such calls and how many are in progress. A call that takes long gives its place to others. It cannot
be ended: its caller gives up at the deadline, and the call is left behind. Its thread does not keep the process from
ending either.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")
Start = Callable[[Callable[[], None]], None]
"""Begins a job on another thread."""

LONG_S: Final = 1.0
"""How long a call keeps its place."""
MOST_LONG: Final = 64
"""Calls that took longer and have not ended. Each of them is a thread."""


class Hangs(Exception):
    """A call has not ended in time, or has not begun: another one with its key hangs, or too many do."""


def on_daemon_thread(job: Callable[[], None]) -> None:
    """Begin the job on a thread that does not keep the process from ending."""
    threading.Thread(target=job, name="blocking call", daemon=True).start()


class BlockingCalls:
    """Makes at most `at_once` calls at a time, and of those with the same key only one."""

    def __init__(
        self,
        at_once: int,
        *,
        long_s: float | None = LONG_S,
        most_long: int = MOST_LONG,
        start: Start = on_daemon_thread,
    ) -> None:
        """`long_s` None: a call keeps its place as long as its caller waits."""
        self._places = asyncio.Semaphore(at_once)
        self._long_s = long_s
        self._most_long = most_long
        self._start = start
        self._running: dict[str, asyncio.Future[Any]] = {}
        """The end of the call in progress, by key."""
        self._long: set[asyncio.Future[Any]] = set()

    @property
    def long(self) -> int:
        """How many calls that have no place have not ended."""
        return len(self._long)

    async def run(
        self, key: str, call: Callable[[], T], *, deadline_s: float | None, discard: Callable[[T], None] | None = None
    ) -> T:
        """Make the call on a thread. Raises Hangs, and what the call raises. Without a deadline it may take any time.

        `key`: what would hang. A call with this key that was left behind is waited for first, within the deadline. If
        this one is left behind, at the deadline or because the task is cancelled, its result goes to `discard`.
        """
        if len(self._long) >= self._most_long:
            raise Hangs(f"{len(self._long)} other operations have not ended")
        ended: asyncio.Future[T] | None = None
        try:
            async with asyncio.timeout(deadline_s):
                async with self._turn(key):
                    ended = self._begin(key, call)
                    await asyncio.wait({ended}, timeout=self._long_s)
                self._give_up_place(ended)
                await asyncio.wait({ended})
        except BaseException as error:
            if ended is not None:
                self._give_up_place(ended)
                _discard_later(ended, discard)
            if isinstance(error, TimeoutError):
                raise Hangs(f"no answer within {deadline_s:g} s") from None
            raise
        return ended.result()

    @contextlib.asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """A place, while no call with this key is in progress."""
        while True:
            async with self._places:
                before = self._running.get(key)
                if before is None:
                    yield
                    return
            await asyncio.wait({before})

    def _begin(self, key: str, call: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                settle = partial(ended.set_result, call())
            except BaseException as error:  # noqa: BLE001 - raised again for the caller
                settle = partial(ended.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle)

        self._running[key] = ended
        ended.add_done_callback(lambda _: self._running.pop(key))
        self._start(job)
        return ended

    def _give_up_place(self, ended: asyncio.Future[Any]) -> None:
        if not ended.done():
            self._long.add(ended)
            ended.add_done_callback(self._long.discard)


def _discard_later(ended: asyncio.Future[T], discard: Callable[[T], None] | None) -> None:
    def discard_now(_: object) -> None:
        if ended.exception() is None and discard is not None:
            discard(ended.result())

    ended.add_done_callback(discard_now)
