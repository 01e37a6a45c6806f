"""A wall clock of its own for what runs on a host, which can be set.

Owns the file that says how far it is ahead, and the library that lets a program live by it (clock.c, compiled when it
is first needed). The clock that measures waits runs on, as it does where somebody sets a machine's clock. Debian's
libfaketime is not used: it leaves shared memory behind when a process is killed, and
netlink calls fail under it (EINVAL).
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
    return _file(paths).exists()


def put(paths: HostPaths, ahead_s: float) -> None:
    """Let the clock be ahead of the machine's, or behind it; processes that live by it see it at once.

    Those that were started before it was first put know nothing of it. Raises Unsupported.
    """
    _library()
    descriptor = os.open(_file(paths), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # In place: it is mapped, not read again.
        os.pwrite(descriptor, _NANOSECONDS.pack(round(ahead_s * 1e9)), 0)
    finally:
        os.close(descriptor)


def environment(paths: HostPaths) -> dict[str, str]:
    """What a process needs to live by the clock; nothing where none was given."""
    return {"LD_PRELOAD": str(_library()), "SAMPAN_CLOCK": str(_file(paths))} if is_given(paths) else {}


def _library() -> Path:
    library = CACHE_ROOT / f"clock-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}.so"
    if library.exists():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Unsupported("a clock that can be set needs a C compiler (Debian: gcc and libc6-dev)")
    library.parent.mkdir(parents=True, exist_ok=True)
    fresh = library.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(fresh), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unsupported(f"a clock that can be set cannot be compiled: {done.stderr.strip()[-300:]}")
    fresh.rename(library)
    return library


def _file(paths: HostPaths) -> Path:
    return paths.etc / "clock"
