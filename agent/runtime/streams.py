"""ThreadStream: a blocking stream of the engine, read on a thread of its own, for use on the event loop.

Owns the thread, the bounded buffer between thread and loop (back-pressure: a full buffer stops the reading), and
closing the stream from the loop. Does not look at the items.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from agent.runtime.faults import translated

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_BUFFER_ITEMS: Final = 256


class ClosableIterator(Protocol[T_co]):
    """The SDK's type of a stream."""

    def __iter__(self) -> Iterator[T_co]: ...

    def close(self) -> None: ...


class ThreadStream(Generic[T]):
    """Items of a blocking stream, in batches."""

    def __init__(
        self, open_stream: Callable[[], ClosableIterator[T]], *, what: str, release: Callable[[], None]
    ) -> None:
        self._open = open_stream
        self._what = what
        self._release = release
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ready = asyncio.Event()
        self._room = threading.Condition()
        self._buffer: list[T] = []
        self._ended = False
        self._closed = False
        self._failure: BaseException | None = None
        self._stream: ClosableIterator[T] | None = None

    async def start(self) -> None:
        """Returns once the engine has answered. Raises its error."""
        threading.Thread(target=self._read, name=f"stream {self._what}", daemon=True).start()
        try:
            await asyncio.shield(self._opened)
        except BaseException:
            self.close()
            raise

    async def batch(self) -> list[T]:
        """Wait for items and return all that have arrived; empty: the stream has ended. Raises the stream's error."""
        await self._ready.wait()
        with self._room:
            items, self._buffer = self._buffer, []
            if not self._ended:
                self._ready.clear()
            self._room.notify()
        if not items and self._failure is not None:
            raise self._failure
        return items

    def close(self) -> None:
        """End the stream; its thread ends by itself."""
        with self._room:
            self._closed = True
            self._room.notify()
            stream = self._stream
        if stream is not None:
            stream.close()

    def _read(self) -> None:
        failure: BaseException | None = None
        try:
            with translated(self._what):
                self._pump()
        except Exception as error:  # noqa: BLE001 - a thread's boundary: the loop's side raises it
            failure = error
        finally:
            self._release()
            self._on_loop(self._finish, failure)
            failure = None  # its traceback holds this frame: without the name there is no cycle

    def _pump(self) -> None:
        stream = self._open()
        with self._room:
            self._stream = stream
            closed = self._closed
        if closed:
            stream.close()
            return
        self._on_loop(self._mark_open)
        for item in stream:
            with self._room:
                self._room.wait_for(lambda: self._closed or len(self._buffer) < _BUFFER_ITEMS)
                if self._closed:
                    return
                self._buffer.append(item)
                first = len(self._buffer) == 1
            if first:
                self._on_loop(self._ready.set)

    def _on_loop(self, callback: Callable[..., None], *args: object) -> None:
        """Call it on the event loop, unless the loop is closed already."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    def _mark_open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _finish(self, failure: BaseException | None) -> None:
        self._ended = True
        self._failure = None if self._closed else failure
        self._ready.set()
        if self._opened.done():
            return
        if failure is not None and not self._closed:
            self._opened.set_exception(failure)
        else:
            self._opened.set_result(None)
