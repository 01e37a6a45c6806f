"""What this machine lacks for a cluster, as the reason with which a test is skipped."""

from __future__ import annotations

import os
import shutil
from typing import Final

from lab.environment import clean_environment

_PROGRAMS: Final = ("dockerd", "containerd", "docker-registry", "iptables-restore", "ip", "nsenter")


def of_cluster() -> str:
    """Programs are looked for where a lab's processes find them; `sampan lab create --engines` installs them."""
    if os.geteuid() != 0:
        return "needs root: makes namespaces and runs container engines"
    missing = [name for name in _PROGRAMS if not shutil.which(name, path=clean_environment()["PATH"])]
    return f"needs {', '.join(missing)} (`sampan lab create --engines` installs what is missing)" if missing else ""
