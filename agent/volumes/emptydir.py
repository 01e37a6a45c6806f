"""emptyDir: a directory that lives and dies with its pod.

Owns the directory, on disk or (medium "Memory") in memory. Its size limit binds in memory only.
"""

from __future__ import annotations

from pathlib import Path

from agent.model import EmptyDir
from agent.volumes.interface import MemoryFiles, VolumeContext


class EmptyDirKind:
    """See the module's docstring."""

    def __init__(self, memory: MemoryFiles) -> None:
        self._memory = memory

    def prepare(self, source: EmptyDir, context: VolumeContext) -> Path:
        if source.medium == "Memory":
            self._memory.mount(context.directory, size_bytes=source.size_limit_bytes)
        elif not context.directory.is_dir():
            _make(context.directory)
        return context.directory


def _make(directory: Path) -> None:
    """Any user of a container may write in it, as Kubernetes has it; there with its mode, or not there."""
    fresh = directory.with_name(f"{directory.name}.new")  # no volume has a dot in its name
    fresh.mkdir(parents=True, exist_ok=True)
    fresh.chmod(0o777)  # mkdir's mode is cut by the umask
    fresh.rename(directory)
