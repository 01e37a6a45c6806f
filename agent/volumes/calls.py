"""The blocking calls of volumes, on threads: to the pods' own directories, and to file systems that may hang.

Owns their numbers and deadlines. The kinds do not share their places, so that hanging servers never stop pods that have
none of their volumes. What a call to a foreign file system does there, it may do late, after it was given up. So such a
call changes nothing in the pod's directory, apart from unmounting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from agent.model import HostPath, Nfs, PodUid, VolumeSource
from agent.volumes.errors import VolumeError
from hull import mounts
from hull.blocking import BlockingCalls, Hangs, Start, on_daemon_thread

T = TypeVar("T")

_REMOTE: Final = re.compile(r"nfs|cifs|smb|fuse|9p|afs|autofs|ceph|gfs|gpfs|lustre|ocfs|beegfs|virtiofs")
"""The beginnings of the names of file systems that hang as a whole."""

AT_ONCE: Final = 16
CHANGES_AT_ONCE: Final = 4
FOREIGN_S: Final = 30.0
OWN_S: Final = 120.0
"""Long enough to remove a large directory."""


class VolumeCalls:
    """The calls of one node. Several calls with the same place, or of the same pod, are made one after the other."""

    def __init__(self, *, foreign_s: float = FOREIGN_S, start: Start = on_daemon_thread) -> None:
        self._own = BlockingCalls(AT_ONCE, start=start)
        self._foreign = BlockingCalls(AT_ONCE, start=start)
        self._unmounting = BlockingCalls(AT_ONCE, start=start)
        self._changing = BlockingCalls(CHANGES_AT_ONCE, long_s=None, start=start)
        self._foreign_s = foreign_s
        self.change_s = FOREIGN_S
        """How long a change of files may take before people learn of it."""

    async def own(self, uid: PodUid, call: Callable[[], T]) -> T:
        """A call that reads and changes the directory of a pod only. Raises VolumeError, and what the call raises."""
        with _named("the directory of the pod on this node"):
            return await self._own.run(uid, call, deadline_s=OWN_S)

    async def foreign(
        self, place: str, call: Callable[[], T], *, what: str, discard: Callable[[T], None] | None = None
    ) -> T:
        """A call to a file system that may hang: `place` says which, and `what` names it in the error.

        Raises VolumeError, and what the call raises. `discard` gets a result that nobody waits for any more.
        """
        with _named(what):
            return await self._foreign.run(place, call, deadline_s=self._foreign_s, discard=discard)

    async def change(self, path: Path, call: Callable[[], None]) -> None:
        """A call that changes all files below the path, as long as that takes. Raises what the call raises."""
        await self._changing.run(str(path), call, deadline_s=None)

    async def unmount(self, target: Path, call: Callable[[Path], None]) -> None:
        """A call that unmounts the target. Raises VolumeError, and what the call raises.

        The mount is gone at once, but then the call may hang, until the kernel has ended its connection to a server.
        """
        with _named(f"unmounting {target}"):
            await self._unmounting.run(str(target), lambda: call(target), deadline_s=FOREIGN_S)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """An error of a call that hangs names what hangs."""
    try:
        yield
    except Hangs as error:
        raise VolumeError(f"{what} hangs: {error}") from error


def place_of(source: VolumeSource, uid: PodUid, root: Path) -> str:
    """What hangs if a volume of the pod does: other volumes with the same place hang too. `root`: of host paths."""
    match source:
        case Nfs():
            return f"server {source.server}"
        case HostPath():
            path = root / source.path.lstrip("/")
            found = mounts.file_system_of(path)
            return found.mount_point if _REMOTE.match(found.type) else str(path)
        case _:
            return f"pod {uid}"
