"""FakeExec: commands in the containers of FakeRuntime, for tests. The product does not use it.

A test says what each command does: `results[argv]` for commands that run to their end, and `processes[argv]` (attach:
the empty tuple) for those with streams. A command that no test named cannot be started, as in an image without it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from agent.runtime.errors import StartRefused, TimedOut
from agent.runtime.process import Channel, Command, Process, Result
from agent.runtime.records import ContainerId

Check = Callable[[ContainerId], None]


class FakeProcess:
    """A process whose output a test writes, and whose input it reads."""

    def __init__(self) -> None:
        self.input = bytearray()
        self.input_closed = asyncio.Event()
        self.sizes: list[tuple[int, int]] = []
        self._output: asyncio.Queue[tuple[Channel, bytes] | None] = asyncio.Queue()
        self._exit_code: int | None = None

    def put(self, data: bytes, channel: Channel = Channel.STDOUT) -> None:
        """Add output."""
        self._output.put_nowait((channel, data))

    def end(self, exit_code: int | None) -> None:
        """End the process; None: only the streams end."""
        self._exit_code = exit_code
        self._output.put_nowait(None)

    async def read(self) -> tuple[Channel, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        self.input += data

    async def close_input(self) -> None:
        self.input_closed.set()

    async def resize(self, *, width: int, height: int) -> None:
        self.sizes.append((width, height))

    async def exit_code(self) -> int | None:
        return self._exit_code


class FakeExec:
    """Commands as the tests define them. `check` raises for containers that do not run."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self.results: dict[tuple[str, ...], Result] = {}
        self.hanging: set[tuple[str, ...]] = set()
        """Commands that do not end within any deadline."""
        self.processes: dict[tuple[str, ...], FakeProcess] = {}
        self.runs: list[tuple[ContainerId, tuple[str, ...]]] = []
        self.opened: dict[ContainerId, list[Command]] = defaultdict(list)

    async def run(self, container: ContainerId, argv: tuple[str, ...], *, timeout_s: float) -> Result:
        await asyncio.sleep(0)
        self._check(container)
        self.runs.append((container, argv))
        if argv in self.hanging:
            raise TimedOut(f"command {argv[0]!r} timed out after {timeout_s:g} s")
        if argv not in self.results:
            raise StartRefused(f'exec: "{argv[0]}": executable file not found in $PATH')
        return self.results[argv]

    def exec(self, container: ContainerId, command: Command) -> AbstractAsyncContextManager[Process]:
        return self._open(container, command)

    def attach(self, container: ContainerId, command: Command) -> AbstractAsyncContextManager[Process]:
        return self._open(container, command)

    @asynccontextmanager
    async def _open(self, container: ContainerId, command: Command) -> AsyncIterator[Process]:
        await asyncio.sleep(0)
        self._check(container)
        if command.argv not in self.processes:
            raise StartRefused(f"exec: {command.argv!r}: executable file not found in $PATH")
        self.opened[container].append(command)
        yield self.processes[command.argv]
