"""The process of cluster DNS: reads what it has to know from standard input, and answers.

It begins to answer when its zone is complete. If the input ends without `stop`, its agent has ended and may be
restarting: it goes on with what it knows for LINGER_S. The next agent starts a process that listens beside it, and ends
this one by SIGTERM. Its log goes to standard output, as lines of a level and a message.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import Final

from netstack.dns import feed, server
from netstack.dns.cluster import Service, Settings
from netstack.dns.forwarder import Forwarder
from netstack.dns.resolver import Resolver
from netstack.dns.zone import Zone

LINGER_S: Final = 60.0
"""Longer than an upgrade of the agent; what it knows becomes older all the time."""
_FAILED: Final = 1

log = logging.getLogger(__name__)


class Process:
    """Applies the lines of the feed."""

    def __init__(self, port: int, linger_s: float) -> None:
        self._port = port
        self._linger_s = linger_s
        self._forwarder = Forwarder()
        self._zone: Zone | None = None
        self._listening = False

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Run until the feed stops, or for LINGER_S after its end. Raises OSError, ValueError."""
        async with AsyncExitStack() as stack:
            while text := await lines.readline():
                line = feed.decode(text)
                if isinstance(line, feed.Stop):
                    return
                if isinstance(line, feed.Complete):
                    await self._listen(stack)
                else:
                    self._apply(line)
            if self._listening:
                await asyncio.sleep(self._linger_s)

    def _apply(self, line: Settings | Service | feed.Remove) -> None:
        if isinstance(line, Settings):
            self._forwarder.configure(line.upstreams)
            if self._zone is None:
                self._zone = Zone(line)
            else:
                self._zone.configure(line)
        elif self._zone is None:
            raise ValueError("the feed begins without settings")
        elif isinstance(line, Service):
            self._zone.put(line)
        else:
            self._zone.remove(line.key)

    async def _listen(self, stack: AsyncExitStack) -> None:
        if self._zone is None:
            raise ValueError("the feed begins without settings")
        if self._listening:
            return
        resolver, address = Resolver(self._zone, self._forwarder), str(self._zone.settings.address)
        port = await stack.enter_async_context(server.serving(resolver, address, self._port))
        self._listening = True
        _say(f"{feed.READY} {port}")


class _Lines(logging.Handler):
    """Log records as lines of standard output. An agent that has ended reads none."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):
            _say(f"{record.levelname} {' '.join(record.getMessage().splitlines())}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _main(port: int, linger_s: float) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=feed.MAX_LINE)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    running = asyncio.create_task(Process(port, linger_s).run(lines), name="dns")
    loop.add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await asyncio.wait((running,))
        if not running.cancelled():
            running.result()
    finally:
        transport.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Cluster DNS of one node; started by its agent.")
    parser.add_argument("--port", type=int, default=server.PORT)
    parser.add_argument("--linger", type=float, default=LINGER_S, help="seconds")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, handlers=[_Lines()])
    try:
        asyncio.run(_main(arguments.port, arguments.linger))
    except (OSError, ValueError) as error:
        log.error("%s", error)
        return _FAILED
    finally:
        # The agent may have closed the other end: no message about that at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
