"""The interface to processes in containers, which are on the nodes. Implemented by master/dispatch."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Output(IntEnum):
    """Where output comes from. Numbers as those of the channels of Kubernetes' remote command protocol."""

    STDOUT = 1
    STDERR = 2


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """A process, and which of its streams are wanted. `command` empty: the container's main process."""

    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class ProcessStream(Protocol):
    """The streams of a process. All calls raise ApiError when the node fails or is lost."""

    async def read(self) -> tuple[Output, bytes] | None:
        """The next piece of output; None: the output has ended, and nothing is missing."""
        ...

    async def write(self, data: bytes) -> None:
        """Pass input; waits while the process does not read it."""
        ...

    async def close_input(self) -> None:
        """The input has ended."""
        ...

    async def resize(self, *, width: int, height: int) -> None:
        """The size of the client's terminal has changed."""
        ...

    @property
    def exit_code(self) -> int | None:
        """The exit code after the end of the output; None: the process goes on."""
        ...


class Processes(Protocol):
    """Opens processes on nodes."""

    def open(
        self, node: str, namespace: str, pod: str, uid: str, container: str, options: ProcessOptions
    ) -> AbstractAsyncContextManager[ProcessStream]:
        """The streams of a process; leaving the context ends them, and not the process.

        Raises NodeUnreachable if the node has no session, BadRequest with the node's reason.
        """
        ...
