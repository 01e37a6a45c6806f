"""The users that containers run as, as their status shows them: read once from the first process of each instance.

Owns what is read and the file in which it is kept: later, the process may have become another user, or have ended.
"""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import Final

from agent.pods.actions import ReadUser
from agent.pods.files import PodFiles
from agent.pods.view import PodView
from agent.runtime.errors import RuntimeFault
from agent.runtime.interface import Runtime
from agent.statuses import ContainerUser

_LOG = logging.getLogger(__name__)

_LINE: Final = re.compile(r"^(Uid|Gid|Groups):[ \t]*(.*)$", re.MULTILINE)


class Users:
    """Reads the users of one pod's instances."""

    def __init__(self, runtime: Runtime, view: PodView, files: PodFiles, proc: Path) -> None:
        self._runtime = runtime
        self._view = view
        self._files = files
        self._proc = proc

    async def read(self, action: ReadUser) -> None:
        """Learn the user of an instance. If it has ended before, its status has none."""
        user = self._files.user(action.container, action.id)
        if user is None and (pid := await self._pid(action)):
            user = await asyncio.to_thread(self._of_process, action, pid)
        self._view.users = {**self._view.users, action.id: user}

    async def _pid(self, action: ReadUser) -> int:
        """The first process; 0: there is none, or the engine does not say."""
        record = self._view.get(action.id)
        if record is None or not record.running or record.pid:
            return record.pid if record is not None else 0
        try:
            return (await self._runtime.containers.inspect(action.id)).pid
        except RuntimeFault as error:
            _LOG.info("container %s: its user is not known: %s", action.container, error)
            return 0

    def _of_process(self, action: ReadUser, pid: int) -> ContainerUser | None:
        try:
            user = user_of((self._proc / str(pid) / "status").read_text(errors="replace"))
            if user is not None:
                self._files.keep_user(action.container, action.id, user)
        except OSError as error:
            _LOG.info("container %s: its user is not known: %s", action.container, error)
            return None
        return user


def user_of(status: str) -> ContainerUser | None:
    """The user of a process by the text of its /proc/PID/status; None if it does not say."""
    numbers = {match[1]: tuple(map(int, match[2].split())) for match in _LINE.finditer(status)}
    try:
        return ContainerUser(numbers["Uid"][0], numbers["Gid"][0], numbers["Groups"])
    except (KeyError, IndexError):
        return None
