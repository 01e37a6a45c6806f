"""A file system that hangs like a share whose server is gone: of FUSE, with a server that never answers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hull import mounts

_DEVICE = Path("/dev/fuse")


@contextmanager
def hanging(directory: Path) -> Iterator[None]:
    """Mount it at an existing directory. At the end of the context, every call that hangs fails."""
    if not _DEVICE.exists():
        pytest.skip("the kernel has no FUSE")
    device = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"dead", os.fsencode(directory), b"fuse", ctypes.c_ulong(0), options.encode()) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))
        try:
            yield
        finally:
            mounts.detach_all(directory)
    finally:
        os.close(device)
