"""OwnAddress: the address that others reach this node by, found without blocking the agent on name resolution.

It is the configured address, or the source address of the route to the master. The master may be configured by name. If
the DNS server is down, the resolver gives up only after a minute and cannot be cancelled.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

PATIENCE_S: Final = 5.0
_DISCARD_PORT: Final = 9


def source_of_route(destination: str) -> str:
    """The address this host sends from to that destination. Raises OSError without a route or for an unknown name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((destination, _DISCARD_PORT))  # sends nothing: the kernel only looks up the route
        return str(probe.getsockname()[0])


class OwnAddress:
    """The address of one agent's node; for use on its event loop."""

    def __init__(self, configured: str, master: str, *, resolve: Callable[[str], str] = socket.gethostbyname) -> None:
        self._configured = configured
        self._master = master
        self._resolve = resolve
        self._pending: asyncio.Future[str] | None = None
        self._last = ""

    async def get(self) -> str:
        """The present address. Raises OSError without a route, or if the master's name has never been resolved."""
        return self._configured or source_of_route(await self._master_address())

    async def _master_address(self) -> str:
        """The resolved address; the last one while the name cannot be resolved."""
        try:
            return str(IPv4Address(self._master))
        except ValueError:
            pass
        self._pending = self._pending or self._ask()
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._last = await asyncio.shield(self._pending)
        except TimeoutError:
            if not self._last:
                raise OSError(f"the name {self._master} was not resolved within {PATIENCE_S:g} s") from None
        except OSError as error:
            if not self._last:
                raise OSError(f"the name {self._master} cannot be resolved: {error}") from error
        finally:
            if self._pending.done():  # else the query goes on, and the next call waits for the same answer
                self._pending = None
        return self._last

    def _ask(self) -> asyncio.Future[str]:
        """Resolve on a daemon thread: a resolver that hangs must not keep a stopping agent alive."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def settle(outcome: str | OSError) -> None:
            if isinstance(outcome, OSError):
                answer.set_exception(outcome)
                answer.exception()  # marks it as retrieved: nothing may be waiting for it any more
            else:
                answer.set_result(outcome)

        def ask() -> None:
            outcome: str | OSError
            try:
                outcome = self._resolve(self._master)
            except OSError as error:
                outcome = error
            try:
                loop.call_soon_threadsafe(settle, outcome)
            except RuntimeError:  # the loop has been closed meanwhile
                return

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        return answer
