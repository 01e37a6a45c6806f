"""What a lab finds around it, and the environment in which its processes run: little, and nothing of the user's.

A proxy or a DOCKER_HOST of the user's shell must not reach engines and agents.
"""

import os
import shutil
from pathlib import Path

from lab.errors import Unusable

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where the import packages lie: a checkout's root, or site-packages."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_root() -> None:
    """Raise Unusable, in words, unless this process may make a lab."""
    if os.geteuid() != 0:
        raise Unusable("a lab needs root: it makes network namespaces and runs container engines")


def require_space(directory: Path, wanted_bytes: int, what: str) -> None:
    """Raise Unusable, in words, unless the file system that `directory` is on, or will be on, has that much room.

    An engine that runs out of it says so in its log only; a pod would merely say that its image cannot be pulled.
    """
    there = next(path for path in (directory, *directory.parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < wanted_bytes:
        raise Unusable(
            f"{what} needs {wanted_bytes >> 20} MiB below {directory}, and {free_bytes >> 20} MiB are free there: "
            "make room, or mount more"
        )


def clean_environment(**more: str) -> dict[str, str]:
    """PATH, a neutral locale, where our packages are, and `more`."""
    return {"PATH": _PATH, "LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT), **more}
