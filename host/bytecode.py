"""Bytecode in a bundle. A host that compiles everything itself spends half of an installation on it.

One archive has the bytecode of the wheels that the lock fixes, so it fits every release with that lock. Another one
has that of the wheel `sampan`. The archives hold only `__pycache__` directories. Their names have a digest of the lock
or of the wheel, so that a host takes no bytecode of other wheels. Where one is missing, as in a bundle for another
Python than the running one, the host compiles the sources.
"""

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Final

from host import wheels
from host.system import System

_FASTEST: Final = 1
"""The level of compression: the archive gets hardly smaller at higher ones."""


def make(wheelhouse: Path, wheel: Path, lock: bytes, scratch: Path, system: System) -> None:
    """Compile `wheel` and the wheels of the lock for the running Python, and put both archives beside the latter.

    Raises HostError.
    """
    wheels.unpack(wheelhouse, lock, scratch / "compiled")
    _compile(scratch / "compiled", _of_lock(wheelhouse, lock), system)
    make_of_wheel(wheelhouse, wheel, scratch, system)


def make_of_wheel(wheelhouse: Path, wheel: Path, scratch: Path, system: System) -> None:
    """Only the archive of `wheel`. Raises HostError."""
    wheels.unpack_one(wheel, scratch / "compiled-wheel")
    _compile(scratch / "compiled-wheel", _of_wheel(wheelhouse, wheel), system)


def unpack(wheelhouse: Path, lock: bytes, packages: Path) -> bool:
    """Put the bytecode of the lock's wheels beside them in site-packages. False: no archive. Raises HostError."""
    return _unpack(_of_lock(wheelhouse, lock), packages)


def unpack_of_wheel(wheelhouse: Path, wheel: Path, packages: Path) -> bool:
    """The same for the bytecode of one wheel."""
    return _unpack(_of_wheel(wheelhouse, wheel), packages)


def _compile(packages: Path, archive: Path, system: System) -> None:
    # An import compares no times: unpacking gives each file a new one.
    mode = "--invalidation-mode=unchecked-hash"
    system.run(sys.executable, "-m", "compileall", "-q", "-j", "0", mode, str(packages))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST) as target:
        for path in sorted(packages.rglob("*.pyc")):
            target.write(path, path.relative_to(packages))


def _unpack(archive: Path, packages: Path) -> bool:
    if archive.is_file():
        wheels.unpack_one(archive, packages)
    return archive.is_file()


def _of_lock(wheelhouse: Path, lock: bytes) -> Path:
    return wheelhouse / f"bytecode-{hashlib.sha256(lock).hexdigest()[:16]}.zip"


def _of_wheel(wheelhouse: Path, wheel: Path) -> Path:
    return wheelhouse / f"bytecode-{wheels.digest(wheel)[:16]}.zip"
