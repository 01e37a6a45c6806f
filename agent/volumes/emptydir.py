"""emptyDir: a directory that is created and removed with its pod.

On disk, or in memory with medium "Memory". In memory the kernel enforces the size limit; a pod that exceeds it on disk
is evicted (agent/pods/storage.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.amounts import memory_limit_of
from agent.model import EmptyDir, Pod
from agent.statuses import Capacity
from agent.volumes.errors import VolumeError
from agent.volumes.interface import MemoryFiles, VolumeContext
from agent.volumes.ownership import WRITABLE, give_to

_MOST_BITS: Final = 0o1777


class EmptyDirKind:
    """The kind emptyDir. `node`: what the node can give to pods."""

    def __init__(self, memory: MemoryFiles, node: Capacity) -> None:
        self._memory = memory
        self._node = node

    def prepare(self, source: EmptyDir, context: VolumeContext) -> Path:
        group = context.pod.fs_group
        if not 0 <= source.mode <= _MOST_BITS:
            raise VolumeError(f'volume "{context.name}": mode {source.mode:o} is not between 0 and 1777')
        if source.medium not in ("", "Memory"):
            raise VolumeError(f'volume "{context.name}": emptyDir medium "{source.medium}" is not supported')
        if source.medium == "Memory":
            size_bytes = self._memory_size(source, context.pod)
            self._memory.mount(context.directory, size_bytes=size_bytes, group=group, mode=source.mode)
        elif not context.directory.is_dir():
            _make(context.directory, source.mode, group)
        return context.directory

    def _memory_size(self, source: EmptyDir, pod: Pod) -> int:
        """The size of the file system in bytes, as with the kubelet: at most what all containers together may use, or
        else the node's memory. 0: nothing bounds it."""
        bounds = (source.size_limit_bytes, memory_limit_of(pod), self._node.memory_bytes)
        return min((bound for bound in bounds if bound > 0), default=0)


def _make(directory: Path, mode: int, group: int | None) -> None:
    """Create it atomically with its mode and group."""
    fresh = directory.with_name(f"{directory.name}.new")  # a volume's name has no dot
    fresh.mkdir(parents=True, exist_ok=True)
    fresh.chmod(mode)  # mkdir applies the umask to its mode
    if group is not None:
        give_to(fresh, group, WRITABLE)
    fresh.rename(directory)
