"""Blocking calls to an engine on a bounded number of threads, one Docker client a thread.

Owns the threads and the clients: a client's `requests` session is not safe to share. Knows nothing of what is called.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker

T = TypeVar("T")

ClientFactory = Callable[[], docker.APIClient]


class ClientThreads:
    """A pool of threads that each own a client, made at the thread's first call."""

    def __init__(self, make_client: ClientFactory, *, threads: int, name: str) -> None:
        self._make_client = make_client
        self._local = threading.local()
        self._clients: list[docker.APIClient] = []
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    async def call(self, work: Callable[[docker.APIClient], T]) -> T:
        """Runs `work` on a free thread. When the caller is cancelled the call itself still runs to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, work)

    def close(self) -> None:
        """Lets running calls end, drops those that wait, closes the clients."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for client in self._clients:
            client.close()
        self._clients.clear()

    def _run(self, work: Callable[[docker.APIClient], T]) -> T:
        client: docker.APIClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._make_client()
            self._local.client = client
            self._clients.append(client)
        return work(client)
