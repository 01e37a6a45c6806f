"""What each kind of volume does.

Owns the Protocol and what a kind is told. The calls block (they are file operations) and are made on a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from agent.model import Desired, Pod, VolumeSource

S_contra = TypeVar("S_contra", bound=VolumeSource, contravariant=True)


@dataclass(frozen=True, slots=True)
class VolumeContext:
    """Where a volume of a pod is made, and what it may be made from."""

    pod: Pod
    name: str
    directory: Path
    """`volumes/<name>` of the pod; the kind makes it when it needs it, and everything in it is its own."""
    desired: Desired


class VolumeKind(Protocol[S_contra]):
    """One kind of volume."""

    def prepare(self, source: S_contra, context: VolumeContext) -> Path:
        """Makes the volume, or brings it up to date, and returns what containers mount. Idempotent. VolumeError."""
        ...


class MemoryFiles(Protocol):
    """File systems in memory."""

    def mount(self, directory: Path, *, size_bytes: int) -> None:
        """One at this directory (made when missing) unless there is one; 0: the kernel's default size."""
        ...

    def unmount(self, directory: Path) -> None:
        """Takes it away, with what is in it; nothing there is no error."""
        ...


Mounted = Mapping[str, Path]
"""Volume name → what containers mount."""
