"""The process of the node's DNS (netstack.dns): starts it, tells it what changes, and starts it again when it ends.

Owns the process and the pipes to it. When the agent ends, the process goes on for a while with what it knows. The next
agent starts another one, and as soon as that answers, ends the first one (dnsfile.py). Only `stop` ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.dnsfile import DnsFile
from agent.wire.names import DnsContent
from hull import processes
from hull.processes import ProcessRecord
from netstack.dns import feed
from netstack.dns.cluster import Service, ServiceKey, Settings

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0
"""Waits before the next start, twice as long after each failure in a row."""
LASTED_S: Final = 10.0
"""A process that answered for this long has not failed at its start."""
RESOLVERS_S: Final = 5.0
"""How often the host's resolvers are read again."""
END_S: Final = 5.0

_ROOT: Final = Path(__file__).parents[1]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Child:
    """A running process and the pipes to it."""

    record: ProcessRecord
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader


class DnsProcess:
    """The node's DNS. `apply` says what it answers, `run` keeps it running."""

    def __init__(
        self,
        resolvers: Callable[[], tuple[str, ...]],
        clock: Clock,
        file: Path,
        *,
        on_problem: Callable[[str], None],
        arguments: tuple[str, ...] = (),
    ) -> None:
        """`resolvers` reads the addresses of the host's; `file`: see dnsfile.py; `on_problem` gets what is wrong with
        the process, once; `arguments`: more of the process's."""
        self._resolvers = resolvers
        self._file = DnsFile(file)
        self._clock = clock
        self._on_problem = on_problem
        self._arguments = arguments
        self._content: DnsContent | None = None
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._problem = ""
        self.ready = asyncio.Event()
        """Set while the process answers."""
        self._last_error = ""

    def apply(self, content: DnsContent | None) -> None:
        """What to answer from now on; None: nothing."""
        self._content = content
        (self._wanted.clear if content is None else self._wanted.set)()
        self._changed.set()

    async def stop(self) -> None:
        """Answer nothing any more; returns when the process has ended. `run` must be running."""
        self.apply(None)
        await self._idle.wait()
        self._file.end_others(None)

    async def run(self) -> None:
        """Run until cancelled."""
        wait_s = FIRST_WAIT_S
        while True:
            await self._wanted.wait()
            began = self._clock.monotonic()
            self._idle.clear()
            try:
                await self._run_once()
            except OSError as error:
                self._complain(f"cannot be started: {error}")
            finally:
                self.ready.clear()
                self._idle.set()
            if not self._wanted.is_set():
                continue
            lasted = self._clock.monotonic() - began >= LASTED_S
            wait_s = FIRST_WAIT_S if lasted else min(2 * wait_s, LONGEST_WAIT_S)
            await self._clock.sleep(wait_s)

    async def _run_once(self) -> None:
        async with _started(self._arguments) as child:
            self._file.add(child.record)
            self._last_error = ""
            reading = asyncio.create_task(self._read(child), name="dns output")
            feeding = asyncio.create_task(self._feed(child.writer), name="dns feed")
            try:
                await asyncio.wait((reading, feeding), return_when=asyncio.FIRST_COMPLETED)
                stopped = feeding.done() and not feeding.cancelled() and feeding.exception() is None
            finally:
                await _cancelled(reading, feeding)
            # Not reached when the agent ends: the process goes on for a while.
            await asyncio.to_thread(_end, child.record, patient=stopped)
            if not stopped:
                self._complain(f"ended: {self._last_error or 'without a message'}")

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        """Send what the process has to know; returns when it has to end. Raises OSError when it has ended."""
        settings: Settings | None = None
        services: Mapping[ServiceKey, Service] = {}
        while True:
            self._changed.clear()
            content = self._content
            if content is None or (settings is not None and settings.address != content.settings.address):
                writer.write(feed.encode(feed.Stop()))
                await writer.drain()
                return
            present = self._with_resolvers(content.settings)
            for line in _lines(settings, services, present, content.services):
                writer.write(feed.encode(line))
                await writer.drain()
            settings, services = present, content.services
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESOLVERS_S):
                    await self._changed.wait()

    def _with_resolvers(self, settings: Settings) -> Settings:
        # A host that asks its own cluster DNS must not make that ask itself.
        upstreams = tuple(address for address in self._resolvers() if address != str(settings.address))
        return replace(settings, upstreams=upstreams)

    async def _read(self, child: _Child) -> None:
        """Log the process's output until it ends."""
        while line := (await child.reader.readline()).decode(errors="replace").strip():
            level, _, message = line.partition(" ")
            if level == feed.READY:
                self._problem = ""
                self._file.end_others(child.record)
                self.ready.set()
                log.info("the node's DNS answers at port %s", message)
                continue
            self._last_error = message if level == "ERROR" else self._last_error
            log.log(logging.getLevelNamesMapping().get(level, logging.WARNING), "the node's DNS: %s", message)

    def _complain(self, problem: str) -> None:
        """Report a problem once, not at each of its repetitions."""
        if problem != self._problem:
            log.error("the process of the node's DNS %s", problem)
            self._on_problem(problem)
        self._problem = problem


def _lines(
    old: Settings | None, before: Mapping[ServiceKey, Service], new: Settings, after: Mapping[ServiceKey, Service]
) -> Iterator[feed.Line]:
    """The lines that lead from one content to another. Without an old one, the last line says that it is complete."""
    if new != old:
        yield new
    for key in before.keys() - after.keys():
        yield feed.Remove(key)
    for key, service in after.items():
        if before.get(key) is not service:
            yield service
    if old is None:
        yield feed.Complete()


@asynccontextmanager
async def _started(arguments: tuple[str, ...]) -> AsyncIterator[_Child]:
    """A new process, in a session of its own, and the pipes to it, which are closed at the end of the context."""
    loop = asyncio.get_running_loop()
    (its_input, to_it), (from_it, its_output) = os.pipe(), os.pipe()
    try:
        record = _spawn(arguments, its_input, its_output)
    except OSError:
        os.close(to_it)
        os.close(from_it)
        raise
    finally:
        os.close(its_input)
        os.close(its_output)
    reader = asyncio.StreamReader()
    # The protocol of a reader also does the flow control of a writer.
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_it, "rb"))
    unused = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    writing, _ = await loop.connect_write_pipe(lambda: unused, os.fdopen(to_it, "wb"))
    try:
        yield _Child(record, asyncio.StreamWriter(writing, unused, None, loop), reader)
    finally:
        writing.close()
        reading.close()


def _spawn(arguments: tuple[str, ...], its_input: int, its_output: int) -> ProcessRecord:
    """posix_spawn, because this process runs gRPC, which does not survive a fork. Raises OSError."""
    # The process runs the same code as this one, wherever that was loaded from.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "netstack.dns", *arguments],
        {**os.environ, "PYTHONPATH": str(_ROOT)},
        file_actions=[(os.POSIX_SPAWN_DUP2, its_input, 0), (os.POSIX_SPAWN_DUP2, its_output, 1)],
        setsid=True,
    )
    return processes.record_of(pid) or ProcessRecord(pid, 0)


def _end(record: ProcessRecord, *, patient: bool) -> None:
    """Reap a process that ends by itself (`patient`), or end it."""
    if not (patient and processes.wait(record, END_S)):
        processes.send(record, signal.SIGKILL)
        processes.wait(record, END_S)
    processes.reap(record.pid)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
