"""ClientThreads: blocking calls to an engine on a fixed number of threads, each with a Docker client of its own.

Owns the threads and the clients: a client's `requests` session must not be shared between threads. The threads are
daemons, unlike those of the standard library's pools: a pull from a registry that hangs cannot be cancelled, and must
not keep a stopping agent alive.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import docker

T = TypeVar("T")

ClientFactory = Callable[[], docker.APIClient]
_Work = Callable[[docker.APIClient], Any]

PATIENCE_S: Final = 2.0
"""How long `close` waits for calls in progress; creating or ending a container usually takes less."""


class ClientThreads:
    """A pool of threads; each creates its client at its first call."""

    def __init__(self, make_client: ClientFactory, *, threads: int, name: str, patience_s: float = PATIENCE_S) -> None:
        self._make_client = make_client
        self._patience_s = patience_s
        self._waiting: SimpleQueue[tuple[Future[Any], _Work] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True) for number in range(threads)
        ]
        self._started = self._closed = False

    async def call(self, work: Callable[[docker.APIClient], T]) -> T:
        """Run `work` on a free thread. If the caller is cancelled, the call still runs to its end."""
        if self._closed:
            raise RuntimeError("the client threads have been closed")
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        answer: Future[T] = Future()
        self._waiting.put((answer, work))
        return await asyncio.wrap_future(answer)

    def close(self) -> None:
        """Cancel queued calls and wait for those in progress for up to PATIENCE_S; a hanging one is left behind."""
        self._closed = True
        try:
            while waiting := self._waiting.get_nowait():
                waiting[0].cancel()
        except Empty:
            pass
        for _ in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + self._patience_s
        for thread in self._threads:
            if self._started:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self) -> None:
        client: docker.APIClient | None = None
        try:
            while taken := self._waiting.get():
                answer, work = taken
                if not answer.set_running_or_notify_cancel():
                    continue
                try:
                    client = client or self._make_client()
                    answer.set_result(work(client))
                except BaseException as error:  # noqa: BLE001  raised at the caller
                    answer.set_exception(error)
                del answer, work, taken
        finally:
            if client is not None:
                client.close()
