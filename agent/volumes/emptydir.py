"""emptyDir: a directory that is created and removed with its pod.

On disk, or in memory with medium "Memory". The size limit is enforced in memory only.
"""

from __future__ import annotations

from pathlib import Path

from agent.model import EmptyDir
from agent.volumes.errors import VolumeError
from agent.volumes.interface import MemoryFiles, VolumeContext
from agent.volumes.ownership import WRITABLE, give_to


class EmptyDirKind:
    """The kind emptyDir."""

    def __init__(self, memory: MemoryFiles) -> None:
        self._memory = memory

    def prepare(self, source: EmptyDir, context: VolumeContext) -> Path:
        group = context.pod.fs_group
        if source.medium not in ("", "Memory"):
            raise VolumeError(f'volume "{context.name}": emptyDir medium "{source.medium}" is not supported')
        if source.medium == "Memory":
            self._memory.mount(context.directory, size_bytes=source.size_limit_bytes, group=group)
        elif not context.directory.is_dir():
            _make(context.directory, group)
        return context.directory


def _make(directory: Path, group: int | None) -> None:
    """Create it atomically with its mode and group: as in Kubernetes, every user may write to it."""
    fresh = directory.with_name(f"{directory.name}.new")  # a volume's name has no dot
    fresh.mkdir(parents=True, exist_ok=True)
    fresh.chmod(0o777)  # mkdir applies the umask to its mode
    if group is not None:
        give_to(fresh, group, WRITABLE)
    fresh.rename(directory)
