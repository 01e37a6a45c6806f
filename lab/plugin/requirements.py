"""Whether this machine can run a cluster, and otherwise the reason for skipping a test."""

from __future__ import annotations

import os
import shutil
from typing import Final

from lab.environment import clean_environment

_PROGRAMS: Final = ("dockerd", "containerd", "docker-registry", "iptables-restore", "ip", "nsenter")


def of_cluster() -> str:
    """Why this machine cannot run a cluster; empty if it can. Checks root and the programs on a lab's PATH."""
    if os.geteuid() != 0:
        return "needs root: makes namespaces and runs container engines"
    missing = [name for name in _PROGRAMS if not shutil.which(name, path=clean_environment()["PATH"])]
    return f"needs {', '.join(missing)} (`sampan lab create --engines` installs what is missing)" if missing else ""
