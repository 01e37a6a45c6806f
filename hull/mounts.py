"""Mounts of this mount namespace: listed, made from open descriptors or in memory, and detached.

Thin calls of mount(2) and umount2(2), and of open_tree(2), mount_setattr(2) and move_mount(2), for which older C
libraries have no functions.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MS_RDONLY: Final = 1
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_REMOUNT: Final = 32
_MS_BIND: Final = 4096
_MS_UNBINDABLE: Final = 1 << 17
_MS_PRIVATE: Final = 1 << 18
_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
_OPEN_TREE: Final = 428
_MOVE_MOUNT: Final = 429
_MOUNT_SETATTR: Final = 442
"""These numbers are the same on all architectures."""
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 4
_MOUNT_ATTR_RDONLY: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    """struct mount_attr."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def bind(descriptor: int, target: Path) -> None:
    """Mount the file or directory of an open descriptor at the target, which has the same type. Raises OSError.

    What is mounted below it is left out. The descriptor says what is mounted, whatever its path leads to by now.
    """
    _mount(target, _MS_BIND, source=f"/proc/self/fd/{descriptor}".encode())


def restrict(target: Path) -> None:
    """Make the mount at the target read-only, without programs, set-user-id bits and devices. Raises OSError."""
    _mount(target, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def bind_read_only(descriptor: int, target: Path) -> None:
    """As `bind`, with all that is mounted below it, and all of that read-only. Raises OSError.

    Linux 5.12 or newer: `has_read_only_trees`. The mounts are private: unmounting them must not unmount the originals.
    So the originals can be unmounted and these stay; until they are gone, the kernel does not let anybody remove the
    directories at which the originals were mounted (EBUSY). Keep them as short as possible, and below `left_out`.
    """
    tree = _syscall(_OPEN_TREE, descriptor, b"", _OPEN_TREE_CLONE | _AT_EMPTY_PATH | _AT_RECURSIVE | os.O_CLOEXEC)
    if tree < 0:
        raise _error(target)
    try:
        changes = _Attributes(set=_MOUNT_ATTR_RDONLY, propagation=_MS_PRIVATE)
        size = ctypes.sizeof(changes)
        flags = _AT_EMPTY_PATH | _AT_RECURSIVE
        if _syscall(_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(changes), ctypes.c_size_t(size)) != 0:
            raise _error(target)
        # Only now others can see it.
        if _syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH) != 0:
            raise _error(target)
    finally:
        os.close(tree)


def left_out(directory: Path) -> None:
    """Leave a directory, and all that is mounted below it, out of all copies of the mounts above it. Raises OSError.

    The directory becomes a mount of itself. Otherwise each copy of `/` would contain the copies before, and twelve of
    them would be all mounts that the kernel allows (the kernel's sharedsubtree.rst, 5d: unbindable mounts).
    """
    if not is_mount(directory):
        _mount(directory, _MS_BIND, source=os.fsencode(directory))
    # An agent may have ended just after the mount.
    _mount(directory, _MS_UNBINDABLE)


def has_read_only_trees() -> bool:
    """Whether the kernel has `bind_read_only`, and nothing such as seccomp keeps this process from it."""
    # A structure of no size is refused with EINVAL, before anything else is looked at.
    _syscall(_MOUNT_SETATTR, -1, b"", 0, None, ctypes.c_size_t(0))
    return ctypes.get_errno() == errno.EINVAL


def _syscall(number: int, *arguments: object) -> int:
    return int(_libc.syscall(ctypes.c_long(number), *arguments))


def in_memory(target: Path, options: str) -> None:
    """Mount a new file system in memory at the target; its options are those of tmpfs(5). Raises OSError."""
    _mount(target, 0, source=b"tmpfs", kind=b"tmpfs", options=options.encode())


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


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A mounted file system: where, and its type, such as `nfs4`."""

    mount_point: str
    type: str


def file_system_of(path: Path) -> FileSystem:
    """The file system of an absolute path, by the kernel's list only: its links are not followed. It cannot hang."""
    found = FileSystem("/", "")
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        point = mount_point(line)
        # Of those at the same place, the last one is seen.
        if len(point) >= len(found.mount_point) and path.is_relative_to(point):
            found = FileSystem(point, os.fsdecode(line.partition(b" - ")[2].split(b" ")[0]))
    return found


def mount_point(line: bytes) -> str:
    """The mount point in a line of mountinfo."""
    return unescaped(line.split(b" ")[4])


def unescaped(path: bytes) -> str:
    """A path of mountinfo, where blanks and backslashes are octal escapes (proc(5))."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes((int(match[1], 8),)), path))


def _mount(
    target: Path, flags: int, *, source: bytes | None = None, kind: bytes | None = None, options: bytes | None = None
) -> None:
    if _libc.mount(source, os.fsencode(target), kind, ctypes.c_ulong(flags), options) != 0:
        raise _error(target)


def _error(target: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(target))
