"""DockerExec: commands in running containers by Docker's exec, and the streams of main processes by its attach.

Owns the engine's streams of one process each. Nothing is read ahead: the kernel's socket buffer and 256 KiB of the
reader are all that waits here, so a slow reader slows the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from agent.runtime import execsignals
from agent.runtime.client import EngineClient, Request
from agent.runtime.errors import EngineFault, EngineGone, RuntimeFault, TimedOut
from agent.runtime.faults import process_faults, readable
from agent.runtime.frames import FrameError, Frames, joined
from agent.runtime.looks import waits
from agent.runtime.process import MAX_OUTPUT_BYTES, PIECE_BYTES, Channel, Command, Process, Result
from agent.runtime.records import ContainerId
from agent.runtime.upgrade import Connection, upgrade

_INSPECT: Final = "inspect a process"
_FIRST_LOOK_S: Final = 0.005
_LOOKS: Final = 11
"""The engine may record an exit code after the output's end: it is asked for up to 10 s, at growing intervals."""


class DockerExec:
    """Exec on a Docker engine, or on Podman's socket."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    async def run(self, container: ContainerId, argv: tuple[str, ...], *, timeout_s: float) -> Result:
        identity = ""
        try:
            async with asyncio.timeout(timeout_s):
                identity = await self._create(container, Command(argv))
                async with self._started(identity, tty=False) as process:
                    output = await _beginning(process)
                    return Result(await process.exit_code() or 0, output)
        except asyncio.CancelledError:
            if identity:
                within_s = self._client.limits.cancelled_s
                await execsignals.send(self._client, identity, signal.SIGKILL, within_s=within_s)
            raise
        except TimeoutError as error:
            if identity:
                look_s = self._client.limits.look_s
                await execsignals.send(self._client, identity, signal.SIGKILL, within_s=look_s)
            raise TimedOut(f"command {' '.join(argv)!r} timed out after {timeout_s:g} s") from error

    def exec(self, container: ContainerId, command: Command) -> AbstractAsyncContextManager[Process]:
        return self._exec(container, command)

    def attach(self, container: ContainerId, command: Command) -> AbstractAsyncContextManager[Process]:
        return self._attach(container, command)

    @asynccontextmanager
    async def _exec(self, container: ContainerId, command: Command) -> AsyncIterator[Process]:
        identity = await self._create(container, command)
        async with self._started(identity, tty=command.tty) as process:
            try:
                yield process
            except (Exception, asyncio.CancelledError):
                if command.tty:
                    within_s = self._client.limits.cancelled_s
                    await execsignals.send(self._client, identity, signal.SIGHUP, within_s=within_s)
                raise

    @asynccontextmanager
    async def _attach(self, container: ContainerId, command: Command) -> AsyncIterator[Process]:
        path, what = f"/containers/{container}", f"attach {container[:12]}"
        wanted = {"stream": True, "stdin": command.stdin, "stdout": command.stdout, "stderr": command.stderr}
        record = await _asked(self._client, Request("GET", f"{path}/json", what))
        # The engine frames the output of a container without a terminal, whatever the caller asks for.
        with readable(what):
            tty = bool(record["Config"].get("Tty"))
        parameters = {name: str(int(value)) for name, value in wanted.items()}
        with process_faults(what):
            connection = await upgrade(self._client, Request("POST", f"{path}/attach", what, parameters=parameters))
        async with _streams(self._client, connection, path, tty=tty) as process:
            yield process

    async def _create(self, container: ContainerId, command: Command) -> str:
        body = {
            "Cmd": list(command.argv),
            "AttachStdin": command.stdin,
            "AttachStdout": command.stdout,
            "AttachStderr": command.stderr and not command.tty,
            "Tty": command.tty,
        }
        what = f"exec in {container[:12]}"
        answer = await _asked(self._client, Request("POST", f"/containers/{container}/exec", what, json=body))
        with readable(what):
            return str(answer["Id"])

    @asynccontextmanager
    async def _started(self, identity: str, *, tty: bool) -> AsyncIterator[Process]:
        path, what = f"/exec/{identity}", f"exec {identity[:12]}"
        request = Request("POST", f"{path}/start", what, json={"Detach": False, "Tty": tty})
        with process_faults(what):
            connection = await upgrade(self._client, request)
        async with _streams(self._client, connection, path, tty=tty) as process:
            yield process


class DockerProcess:
    """A process with its streams. `path` is its resource in the engine's API."""

    def __init__(self, client: EngineClient, connection: Connection, path: str, *, tty: bool) -> None:
        self._client = client
        self._connection = connection
        self._path = path
        self._tty = tty
        self._frames = Frames()
        self._waiting: deque[tuple[Channel, bytes]] = deque()

    async def read(self) -> tuple[Channel, bytes] | None:
        while not self._waiting:
            try:
                data = await self._connection.reader.read(PIECE_BYTES)
                if not data and not self._frames.inside:
                    return None
                if not data:
                    raise EngineGone("the container engine closed the stream in the middle of a frame")
                self._waiting.extend([(Channel.STDOUT, data)] if self._tty else joined(self._frames.feed(data)))
            except (OSError, FrameError) as error:
                raise EngineGone(f"the container engine broke off the stream: {error}") from error
        return self._waiting.popleft()

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the process has ended; its output ends too, or has ended
            self._connection.writer.write(data)
            await self._connection.writer.drain()

    async def close_input(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.writer.write_eof()

    async def resize(self, *, width: int, height: int) -> None:
        # A process that has ended, or has no terminal, cannot be resized.
        with contextlib.suppress(RuntimeFault):
            size = {"w": str(width), "h": str(height)}
            await _asked(self._client, Request("POST", f"{self._path}/resize", "resize a terminal", parameters=size))

    async def exit_code(self) -> int | None:
        for wait_s in waits(_FIRST_LOOK_S, _LOOKS):
            answer = await _asked(self._client, Request("GET", f"{self._path}/json", _INSPECT))
            with readable(_INSPECT):
                state = answer.get("State") or answer
                if not state.get("Running"):
                    return int(state.get("ExitCode") or 0)
                if "State" in answer:
                    return None
            await asyncio.sleep(wait_s)
        raise EngineFault("the container engine does not report the end of a command whose output has ended")


async def _asked(client: EngineClient, request: Request) -> Any:
    """The engine's answer. Probes and people wait for it: calls about other containers do not keep it waiting."""
    with process_faults(request.what):
        return await client.call(request, at_once=True)


@asynccontextmanager
async def _streams(
    client: EngineClient, connection: Connection, path: str, *, tty: bool
) -> AsyncIterator[DockerProcess]:
    try:
        yield DockerProcess(client, connection, path, tty=tty)
    finally:
        connection.close(flush_s=client.limits.flush_s)


async def _beginning(process: Process) -> bytes:
    """Read all output, and keep its beginning."""
    kept = bytearray()
    while (piece := await process.read()) is not None:
        kept += piece[1][: MAX_OUTPUT_BYTES - len(kept)]
    return bytes(kept)
