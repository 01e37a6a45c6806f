"""Bytecode in a bundle. A host that compiles everything itself spends half of an installation on it.

It is made of the wheels that the lock fixes, so it fits every release with that lock. The wheel `sampan` is compiled on
the host. The archive holds only `__pycache__` directories. Its name has a digest of the lock, so that a host takes no
bytecode of other wheels. Where it is missing, as in a bundle for another Python than the running one, the host compiles
everything.
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


def make(wheelhouse: Path, lock: bytes, scratch: Path, system: System) -> None:
    """Compile the wheels for the running Python, and put the archive beside them. Raises HostError."""
    packages = scratch / "compiled"
    wheels.unpack(wheelhouse, lock, packages)
    # An import compares no times: unpacking gives each file a new one.
    mode = "--invalidation-mode=unchecked-hash"
    system.run(sys.executable, "-m", "compileall", "-q", "-j", "0", mode, str(packages))
    with zipfile.ZipFile(_archive(wheelhouse, lock), "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST) as archive:
        for path in sorted(packages.rglob("*.pyc")):
            archive.write(path, path.relative_to(packages))


def unpack(wheelhouse: Path, lock: bytes, packages: Path) -> bool:
    """Put the bytecode of the wheels beside them in site-packages; False without an archive. Raises HostError."""
    archive = _archive(wheelhouse, lock)
    if archive.is_file():
        wheels.unpack_one(archive, packages)
    return archive.is_file()


def _archive(wheelhouse: Path, lock: bytes) -> Path:
    return wheelhouse / f"bytecode-{hashlib.sha256(lock).hexdigest()[:16]}.zip"
