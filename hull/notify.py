"""Tells systemd how a daemon is: ready, stopping, alive (sd_notify(3), and the watchdog of systemd.service(5)).

Without NOTIFY_SOCKET nobody listens, and nothing is told. What is alive is the event loop: a task of it says so.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def supervised(environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Ready when entered, stopping when left; alive meanwhile, twice as often as systemd asks for."""
    tell(environment, "READY=1")
    feeding = asyncio.create_task(_feed(environment), name="watchdog")
    try:
        yield
    finally:
        feeding.cancel()
        tell(environment, "STOPPING=1")


def tell(environment: Mapping[str, str], state: str) -> None:
    """One datagram; systemd that does not listen, or not any more, is no reason to fail."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, suppress(OSError):
        to.setblocking(False)
        to.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def watchdog_s(environment: Mapping[str, str]) -> float:
    """How often systemd wants to hear of this process, in seconds; 0: never."""
    own = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    asked = environment.get("WATCHDOG_USEC", "")
    return int(asked) / 1e6 if own and asked.isdecimal() else 0.0


async def _feed(environment: Mapping[str, str]) -> None:
    period_s = watchdog_s(environment)
    while period_s:
        tell(environment, "WATCHDOG=1")
        await asyncio.sleep(period_s / 2)
