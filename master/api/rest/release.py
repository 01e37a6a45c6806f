"""The release: which version of Kubernetes' API this server has, and what it runs on (`/version`)."""

from __future__ import annotations

import platform
from typing import Final

from proto import contract

MAJOR: Final = "1"
MINOR: Final = "37"
GIT_VERSION: Final = f"v{MAJOR}.{MINOR}.0+sampan-{contract.VERSION}"
"""The version of the API. What follows the plus sign is Sampan's own version, which clients ignore in comparisons."""
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def version() -> dict[str, str]:
    """The document of `/version`.

    A wheel records neither commit nor time of its build, so these have the values of a build that does not know them.
    """
    machine = platform.machine()
    return {
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"Python {platform.python_version()}",
        "platform": f"linux/{_MACHINES.get(machine, machine)}",
    }
