"""A wall clock of a host's own, which can be set independently of the machine's.

Owns the file with the clock's offset, and the library that makes a program use the clock (clock.c, compiled at the
first use). The monotonic clock is not changed, as on a host whose clock is set. Debian's libfaketime is not used: it
leaves shared memory behind when a process is killed, and netlink calls fail under it (EINVAL).
"""

import hashlib
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from lab.layout import CACHE_ROOT, HostPaths
from netrig.errors import Unsupported

_SOURCE: Final = Path(__file__).with_suffix(".c")
_NANOSECONDS: Final = struct.Struct("q")


def is_given(paths: HostPaths) -> bool:
    """Whether the host has a clock of its own."""
    return _file(paths).exists()


def put(paths: HostPaths, ahead_s: float) -> None:
    """Set the clock ahead of the machine's by `ahead_s`, or behind it (negative); its processes see it at once.

    Processes that were started before the first call do not use the clock. Raises Unsupported.
    """
    _library()
    descriptor = os.open(_file(paths), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # In place, not renamed: processes have mapped the file and do not open it again.
        os.pwrite(descriptor, _NANOSECONDS.pack(round(ahead_s * 1e9)), 0)
    finally:
        os.close(descriptor)


def environment(paths: HostPaths) -> dict[str, str]:
    """The variables that make a process use the clock; empty if the host has no clock of its own."""
    return {"LD_PRELOAD": str(_library()), "SAMPAN_CLOCK": str(_file(paths))} if is_given(paths) else {}


def _library() -> Path:
    library = CACHE_ROOT / f"clock-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}.so"
    if library.exists():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Unsupported("a settable clock needs a C compiler (Debian: gcc and libc6-dev)")
    library.parent.mkdir(parents=True, exist_ok=True)
    fresh = library.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(fresh), str(_SOURCE), "-ldl"]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    if compiled.returncode != 0:
        raise Unsupported(f"the settable clock cannot be compiled: {compiled.stderr.strip()[-300:]}")
    fresh.rename(library)
    return library


def _file(paths: HostPaths) -> Path:
    return paths.etc / "clock"
