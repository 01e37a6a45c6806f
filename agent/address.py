"""OwnAddress: by which address others reach this node, without the agent waiting for a name.

It is the configured one, or the source address of the route to the master. A master may be known by a name, and whom
to ask for it may have gone: a resolver then says so after a minute only, and cannot be called off before.
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
    """This host's address on the way there. Raises OSError without a route, or where a name is not known."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((destination, _DISCARD_PORT))  # sends nothing: the kernel only looks up the route
        return str(probe.getsockname()[0])


class OwnAddress:
    """Of one agent; for its event loop."""

    def __init__(self, configured: str, master: str, *, resolve: Callable[[str], str] = socket.gethostbyname) -> None:
        self._configured = configured
        self._master = master
        self._resolve = resolve
        self._asking: asyncio.Future[str] | None = None
        self._last = ""

    async def get(self) -> str:
        """As it is now. Raises OSError while there is no route, or the master's name was never known."""
        return self._configured or source_of_route(await self._master_address())

    async def _master_address(self) -> str:
        """What the name said last stands for it as long as it says nothing."""
        try:
            return str(IPv4Address(self._master))
        except ValueError:
            pass
        self._asking = self._asking or self._ask()
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._last = await asyncio.shield(self._asking)
        except TimeoutError:
            if not self._last:
                raise OSError(f"the name {self._master} is not resolved within {PATIENCE_S:g} s") from None
        except OSError as error:
            if not self._last:
                raise OSError(f"the name {self._master} cannot be resolved: {error}") from error
        finally:
            if self._asking.done():  # else it is asked on, and the next look waits for the same answer
                self._asking = None
        return self._last

    def _ask(self) -> asyncio.Future[str]:
        """On a daemon thread: one that still waits must not keep an agent that was told to stop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def settle(found: str | OSError) -> None:
            if isinstance(found, OSError):
                answer.set_exception(found)
                answer.exception()  # perhaps nobody waits any more
            else:
                answer.set_result(found)

        def ask() -> None:
            found: str | OSError
            try:
                found = self._resolve(self._master)
            except OSError as error:
                found = error
            try:
                loop.call_soon_threadsafe(settle, found)
            except RuntimeError:  # the loop has ended meanwhile
                return

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        return answer
