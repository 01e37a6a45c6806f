"""Notifies systemd of a daemon's state: ready, alive, stopping (sd_notify(3), the watchdog of systemd.service(5)).

Without NOTIFY_SOCKET in the environment, nothing is sent. "Alive" means that the event loop runs: a task of it sends
that message.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def supervised(environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Send "ready" on entry and "stopping" on exit; in between send "alive", twice as often as systemd requires."""
    send(environment, "READY=1")
    watchdog = asyncio.create_task(_feed_watchdog(environment), name="watchdog")
    try:
        yield
    finally:
        watchdog.cancel()
        send(environment, "STOPPING=1")


def send(environment: Mapping[str, str], state: str) -> None:
    """Send one datagram. Errors are ignored: the daemon must run, whether systemd listens or not."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.setblocking(False)
        sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def watchdog_s(environment: Mapping[str, str]) -> float:
    """The period of systemd's watchdog for this process, in seconds; 0: no watchdog."""
    is_ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    period_us = environment.get("WATCHDOG_USEC", "")
    return int(period_us) / 1e6 if is_ours and period_us.isdecimal() else 0.0


async def _feed_watchdog(environment: Mapping[str, str]) -> None:
    period_s = watchdog_s(environment)
    while period_s:
        send(environment, "WATCHDOG=1")
        await asyncio.sleep(period_s / 2)
