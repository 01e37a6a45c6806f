"""nfs: directories of NFS servers, mounted by the system's mount(8), which knows the protocol.

Owns the number of mounts at once and their deadline: a server that does not answer stops only the pods that need it.
A mount command may hang in the kernel, where no signal ends it; nobody waits for it then. But until it has ended, it
counts for its server, and nothing else is mounted at its directory. Whether something is mounted is read from the
kernel's list, because a look at the directory could hang too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.model import Nfs
from agent.volumes.errors import VolumeError, complaint
from hull import mounts

AT_ONCE: Final = 16
OF_ONE_SERVER: Final = 2
DEADLINE_S: Final = 30.0

_LOG = logging.getLogger(__name__)


class NfsMounts:
    """The mounts of shares on this node. `command`: mount(8), which takes its usual arguments."""

    def __init__(
        self, command: Sequence[str] = ("mount",), *, at_once: int = AT_ONCE, deadline_s: float = DEADLINE_S
    ) -> None:
        self._command = tuple(command)
        self._slots = asyncio.Semaphore(at_once)
        self._servers: dict[str, asyncio.Semaphore] = {}
        self.deadline_s = deadline_s
        self.given_up: dict[Path, asyncio.Task[object]] = {}
        """The ends of commands that were killed and may still hang, by the directory."""

    async def mount(self, source: Nfs, directory: Path) -> None:
        """Mount the share at the directory (created if missing) unless it is mounted. Raises VolumeError."""
        if mounts.is_mount(directory):
            return
        try:
            async with asyncio.timeout(self.deadline_s):
                await self._mount(source, directory)
        except TimeoutError:
            text = f"{share_name(source)}: not mounted within {self.deadline_s:g} s"
            raise VolumeError(f"{text}; the command hangs" if directory in self.given_up else text) from None

    async def _mount(self, source: Nfs, directory: Path) -> None:
        if before := self.given_up.get(directory):
            await asyncio.wait({before})
            if mounts.is_mount(directory):  # at its last moment
                return
        server = self._servers.setdefault(source.server, asyncio.Semaphore(OF_ONE_SERVER))
        await server.acquire()
        try:
            async with self._slots:
                await self._run(source, directory)
        finally:
            if hung := self.given_up.get(directory):
                hung.add_done_callback(lambda _: server.release())
            else:
                server.release()

    async def _run(self, source: Nfs, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *arguments(source, directory),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a character 0
            raise VolumeError(f"{share_name(source)} cannot be mounted: {error}") from error
        try:
            _, output = await process.communicate()
        except asyncio.CancelledError:
            self._give_up(source, directory, process)
            raise
        if process.returncode != 0:
            text = complaint(output, process.returncode)
            raise VolumeError(f"{share_name(source)} cannot be mounted: {text}")

    def _give_up(self, source: Nfs, directory: Path, process: Process) -> None:
        _LOG.warning("%s: the mount command hangs, or is not needed any more", share_name(source))
        with contextlib.suppress(ProcessLookupError):
            # With its child mount.nfs, which makes the call that hangs.
            os.killpg(process.pid, signal.SIGKILL)
        # Its output ends with the last process that has it open. So this is the end of mount.nfs too.
        end = asyncio.create_task(process.communicate(), name=f"end of mount {share_name(source)}")
        self.given_up[directory] = end
        end.add_done_callback(lambda _: self.given_up.pop(directory, None))


def arguments(source: Nfs, directory: Path) -> list[str]:
    """The arguments of mount(8). `--` ends its options: a name of a server may begin like one."""
    options = [*source.mount_options, *(["ro"] if source.read_only else [])]
    return ["-t", "nfs", *(["-o", ",".join(options)] if options else []), "--", share_name(source), str(directory)]


def share_name(source: Nfs) -> str:
    """The share as mount(8) names it."""
    server = f"[{source.server}]" if ":" in source.server else source.server
    return f"{server}:{source.path}"
