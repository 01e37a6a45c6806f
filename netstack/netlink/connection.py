"""One AsyncIPRoute inside one network namespace, on a thread of its own.

A pyroute2 0.9 object makes a socket and an event loop for each thread that uses it. An object that was opened inside a
namespace therefore silently works on another namespace when another thread uses it. Hence the thread: it enters the
namespace, opens the socket, and is the only one that ever uses it. It also keeps the library's event loop apart from
the caller's, which may be running. IPRoute(netns=…) is not an alternative, because it forks.

This module owns the thread, its loop and its socket; reads.py and writes.py have the requests.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from pyroute2.iproute.linux import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError

from netstack import namespaces
from netstack.errors import KernelBusy, kernel_error
from netstack.namespaces import Where

T = TypeVar("T")
Job = Callable[[AsyncIPRoute], Awaitable[T]]

logger = logging.getLogger(__name__)

# When its socket fails, pyroute2 does not wake those that wait for an answer. The kernel answers within milliseconds.
_TIMEOUT_S: Final = 10.0


class Connection:
    """A connection to the tables of one namespace, for one thread at a time. `close` ends its own thread."""

    def __init__(self, where: Where = None) -> None:
        """Raises NamespaceMissing."""
        opened: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(
            target=self._body, args=(where, opened), name=f"netlink-{where or 'host'}", daemon=True
        )
        self._thread.start()
        self._loop = opened.result()
        self._closed = False

    def run(self, job: Job[T]) -> T:
        """Run the job on the connection's thread and return its result.

        Raises what the job raises; a NetlinkError becomes the matching error of netstack.errors.
        """
        if self._closed:
            raise OSError(errno.EBADF, "the netlink connection is closed")
        return asyncio.run_coroutine_threadsafe(self._perform(job), self._loop).result()

    def close(self) -> None:
        """Close the socket and end the thread."""
        if not self._closed:
            self._closed = True
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _body(self, where: Where, opened: Future[asyncio.AbstractEventLoop]) -> None:
        try:
            namespaces.enter(where)
            # Not the policy's loop, as uvloop accepts no netlink socket. Not a Runner, as it would double the time to
            # open.
            loop = asyncio.SelectorEventLoop()
            try:
                loop.run_until_complete(self._serve(opened))
            finally:
                loop.close()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    async def _serve(self, opened: Future[asyncio.AbstractEventLoop]) -> None:
        self._stop = asyncio.Event()
        self._route = await _open()
        opened.set_result(asyncio.get_running_loop())
        try:
            await self._stop.wait()
        finally:
            self._route.close()

    async def _perform(self, job: Job[T]) -> T:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await job(self._route)
        except NetlinkError as error:
            raise kernel_error(error.code, "netlink") from error
        except (OSError, NetlinkDecodeError) as error:
            # A socket that failed once keeps failing, so the next try needs a new one.
            logger.warning("reopening the netlink socket of %s: %r", self._thread.name, error)
            self._route.close()
            self._route = await _open()
            raise KernelBusy(f"netlink: {error!r}") from error


async def _open() -> AsyncIPRoute:
    # Strict checking makes the kernel filter a dump of routes and leave out cached routes (Linux 4.20).
    route = AsyncIPRoute(ext_ack=True, strict_check=True)
    await route.setup_endpoint()
    return route
