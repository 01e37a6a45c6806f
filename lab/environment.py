"""Checks of the machine, and the environment variables of a lab's processes.

The processes get none of the user's variables: a proxy or a DOCKER_HOST must not reach engines and agents.
"""

import os
import shutil
from pathlib import Path

from lab.errors import Unusable

CHECKOUT = Path(__file__).resolve().parent.parent
"""The directory of our packages: the root of a checkout, or site-packages."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_root() -> None:
    """Raise Unusable unless this process may make a lab."""
    if os.geteuid() != 0:
        raise Unusable("a lab needs root: it makes network namespaces and runs container engines")


def require_space(directory: Path, needed_bytes: int, consumer: str) -> None:
    """Raise Unusable unless the file system of `directory`, which need not exist yet, has that much free space.

    Without this check, an engine that runs out of space would report it in its log only, and a pod that its image
    cannot be pulled.
    """
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise Unusable(
            f"{consumer} needs {needed_bytes >> 20} MiB below {directory}, but only {free_bytes >> 20} MiB are free: "
            "free some space, or mount a larger file system"
        )


def clean_environment(**more: str) -> dict[str, str]:
    """PATH, a neutral locale, PYTHONPATH for our packages, and `more`."""
    return {"PATH": _PATH, "LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT), **more}
