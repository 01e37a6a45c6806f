"""Processes that are started in a running container, and the streams of its main process: values and a Protocol.

Owns the forms only. Implementations: dockerexec.py (an engine), fakeprocess.py (in memory, for tests).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from agent.runtime.records import ContainerId

MAX_OUTPUT_BYTES: Final = 10 << 10
"""How much of the output of a command `Exec.run` returns, as in the kubelet's probes."""
PIECE_BYTES: Final = 128 << 10
"""How much is read at once. Passing on a piece costs about the same, whatever its size."""


class Channel(IntEnum):
    """Where output comes from; with a terminal everything is STDOUT. Numbers as in Docker's stream format."""

    STDOUT = 1
    STDERR = 2


@dataclass(frozen=True, slots=True)
class Command:
    """A command to start in a container, and which of its streams are wanted."""

    argv: tuple[str, ...]
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command that has ended."""

    exit_code: int
    output: bytes
    """The beginning of stdout and stderr together, at most MAX_OUTPUT_BYTES."""


class Process(Protocol):
    """A started process with its streams. Output is not read ahead: a caller that does not read stops the process's
    writes at some time."""

    async def read(self) -> tuple[Channel, bytes] | None:
        """The next piece of output; None: the output has ended. Raises EngineGone when the engine breaks off."""
        ...

    async def write(self, data: bytes) -> None:
        """Pass input; waits while the process does not read it. After the process's end it does nothing."""
        ...

    async def close_input(self) -> None:
        """The input has ended (half-close): the process reads an end of file."""
        ...

    async def resize(self, *, width: int, height: int) -> None:
        """Set the size of the terminal in characters; does nothing without a terminal, or after the end."""
        ...

    async def exit_code(self) -> int | None:
        """The exit code after the output's end; None for the main process of a container that still runs."""
        ...


class Exec(Protocol):
    """Starts processes in running containers. Calls raise RuntimeFault only (errors.py).

    Raises NoSuchContainer if the container does not exist, NotRunning if it has ended. A command that cannot be started
    ends with exit code 126 or 127, and its output says why; an engine may raise StartRefused instead.
    """

    async def run(self, container: ContainerId, argv: tuple[str, ...], *, timeout_s: float) -> Result:
        """Run a command to its end, without input. Raises TimedOut after `timeout_s`.

        The command is killed then, as it is if the caller is cancelled.
        """
        ...

    def exec(self, container: ContainerId, command: Command) -> AbstractAsyncContextManager[Process]:
        """Start a command; the context ends the streams, not the process. But a command with a terminal gets SIGHUP if
        the context ends by an exception, such as that the client has gone: its terminal is gone, too."""
        ...

    def attach(self, container: ContainerId, command: Command) -> AbstractAsyncContextManager[Process]:
        """The streams of the container's main process from now on; `argv` is empty. `tty` is as in its spec."""
        ...
