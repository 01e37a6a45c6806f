"""The Protocol of a volume kind, and the values passed to it.

The calls block (file operations) and are made on a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from agent.model import Desired, Pod, TokenSource, VolumeSource

S_contra = TypeVar("S_contra", bound=VolumeSource, contravariant=True)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a pod that could be had; a volume that was written before keeps those that are missing.

    `problem`: why some are missing. `given_up`: they are not worth waiting for, as the master is away.
    """

    texts: Mapping[TokenSource, bytes] = field(default_factory=dict, repr=False)
    problem: str = ""
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class VolumeContext:
    """Where a volume of a pod is made, and the state that it is made from."""

    pod: Pod
    name: str
    directory: Path
    """`volumes/<name>` of the pod; the kind creates it if needed and owns everything in it."""
    desired: Desired
    tokens: Tokens = Tokens()


class VolumeKind(Protocol[S_contra]):
    """One kind of volume."""

    def prepare(self, source: S_contra, context: VolumeContext) -> Path:
        """Make or update the volume; returns the path that containers mount. Idempotent. Raises VolumeError."""
        ...


class MemoryFiles(Protocol):
    """File systems in memory."""

    def mount(self, directory: Path, *, size_bytes: int, group: int | None = None, mode: int = 0o777) -> None:
        """Mount one at the directory (created if missing) unless it is mounted; size 0: the kernel's default.

        With a group, it belongs to that group, which may write to it, and so does what is created in it.
        """
        ...

    def unmount(self, directory: Path) -> None:
        """Unmount it with its content; does nothing if nothing is mounted."""
        ...


class Binds(Protocol):
    """Mounts of single files and directories at places that no container can change."""

    def bind(self, descriptor: int, target: Path) -> None:
        """Mount the file or directory of an open descriptor at an existing one of the same type. Raises OSError."""
        ...

    def bind_read_only(self, descriptor: int, target: Path) -> None:
        """The same with all that is mounted below it, and all of that read-only. Raises OSError."""
        ...

    def bind_files(self, descriptor: int, target: Path) -> None:
        """As `bind`, read-only, and what is mounted gives no program, set-user-id bit or device. Raises OSError."""
        ...

    def left_out(self, directory: Path) -> None:
        """Leave an existing directory, and all that is mounted below it, out of later such mounts. Raises OSError."""
        ...

    def unmount(self, target: Path) -> None:
        """Unmount everything that is mounted at the target; does nothing if nothing is. Raises OSError."""
        ...


Mounted = Mapping[str, Path]
"""Volume name → path that containers mount."""
