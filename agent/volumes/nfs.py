"""nfs: directories of NFS servers, mounted by the system's mount(8), which knows the protocol.

Owns the number of mounts at once and their deadline: a server that does not answer stops only the pods that need it.
Its mount command may hang in the kernel, where no signal ends it; nobody waits for it then. Whether something is
mounted is read from the kernel's list, because a look at the directory could hang too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.model import Nfs
from agent.volumes.errors import VolumeError
from hull import mounts

AT_ONCE: Final = 16
OF_ONE_SERVER: Final = 2
DEADLINE_S: Final = 30.0
_LONGEST_TEXT: Final = 1000

_LOG = logging.getLogger(__name__)


class NfsMounts:
    """The mounts of shares on this node. `command`: mount(8), which takes its usual arguments."""

    def __init__(
        self, command: Sequence[str] = ("mount",), *, at_once: int = AT_ONCE, deadline_s: float = DEADLINE_S
    ) -> None:
        self._command = tuple(command)
        self._slots = asyncio.Semaphore(at_once)
        self._servers: dict[str, asyncio.Semaphore] = {}
        self._deadline_s = deadline_s
        self.given_up: set[asyncio.Task[int]] = set()
        """The ends of commands that were killed and may still hang."""

    async def mount(self, source: Nfs, directory: Path) -> None:
        """Mount the share at the directory (created if missing) unless it is mounted. Raises VolumeError."""
        if mounts.is_mount(directory):
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                server = self._servers.setdefault(source.server, asyncio.Semaphore(OF_ONE_SERVER))
                async with server, self._slots:
                    await self._run(source, directory)
        except TimeoutError:
            raise VolumeError(f"{_share(source)}: not mounted within {self._deadline_s:g} s") from None

    async def _run(self, source: Nfs, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *arguments(source, directory),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except (OSError, ValueError) as error:  # ValueError: a character 0
            raise VolumeError(f"{_share(source)} cannot be mounted: {error}") from error
        try:
            _, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                self._give_up(source, process)
        if process.returncode != 0:
            text = " ".join(complaint.decode(errors="replace").split())[:_LONGEST_TEXT]
            raise VolumeError(f"{_share(source)} cannot be mounted: {text or f'exit code {process.returncode}'}")

    def _give_up(self, source: Nfs, process: asyncio.subprocess.Process) -> None:
        _LOG.warning("%s: the mount command hangs, or is not needed any more", _share(source))
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        end = asyncio.create_task(process.wait(), name=f"end of mount {_share(source)}")
        self.given_up.add(end)
        end.add_done_callback(self.given_up.discard)


def arguments(source: Nfs, directory: Path) -> list[str]:
    """The arguments of mount(8). `--` ends its options: a name of a server may begin like one."""
    options = [*source.mount_options, *(["ro"] if source.read_only else [])]
    return ["-t", "nfs", *(["-o", ",".join(options)] if options else []), "--", _share(source), str(directory)]


def _share(source: Nfs) -> str:
    server = f"[{source.server}]" if ":" in source.server else source.server
    return f"{server}:{source.path}"
