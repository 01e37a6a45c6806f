"""Mounts of this mount namespace: listed, made from open descriptors or in memory, and detached. Thin calls of mount(2)
and umount2(2)."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import Final

_MS_BIND: Final = 4096
_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
_libc = ctypes.CDLL(None, use_errno=True)


def bind(descriptor: int, target: Path) -> None:
    """Mount the file or directory of an open descriptor at the target, which has the same type. Raises OSError.

    What is mounted below it is left out. The descriptor says what is mounted, whatever its path leads to by now.
    """
    source = f"/proc/self/fd/{descriptor}".encode()
    if _libc.mount(source, os.fsencode(target), None, ctypes.c_ulong(_MS_BIND), None) != 0:
        raise _error(target)


def in_memory(target: Path, options: str) -> None:
    """Mount a new file system in memory at the target; its options are those of tmpfs(5). Raises OSError."""
    if _libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", ctypes.c_ulong(0), options.encode()) != 0:
        raise _error(target)


def detach(target: Path) -> None:
    """Unmount what is mounted at the target, at once; a process that uses it keeps it. Raises OSError."""
    if _libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
        raise _error(target)


def detach_all(target: Path) -> None:
    """Unmount everything that is mounted at the target; does nothing if nothing is. Raises OSError."""
    while is_mount(target):
        detach(target)


def is_mount(target: Path) -> bool:
    """Whether something is mounted at the target, also if it is a bind mount of the same file system."""
    path = target.parent.resolve() / target.name
    return str(path) in mounts_below(path)


def mounts_below(directory: Path) -> list[str]:
    """Mount points at or below a directory, in this mount namespace."""
    prefix = f"{directory}/"
    targets = [mount_point(line) for line in Path("/proc/self/mountinfo").read_bytes().splitlines()]
    return [target for target in targets if target == str(directory) or target.startswith(prefix)]


def mount_point(line: bytes) -> str:
    """The mount point in a line of mountinfo."""
    return unescaped(line.split(b" ")[4])


def unescaped(path: bytes) -> str:
    """A path of mountinfo, where blanks and backslashes are octal escapes (proc(5))."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes((int(match[1], 8),)), path))


def _error(target: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(target))
