"""The engine's name, and the version of the API in which we speak with it: pure functions.

Our requests are the same in all versions. So we use the oldest one that both sides support: 1.41, or the engine's
minimum if that is newer (1.44 since Docker 29). The newest one would change its answers with every release.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

OLDEST: Final = "1.41"
"""The API version of Docker 20.10 and Podman 4."""
DOCKER: Final = "docker"
_PODMAN: Final = "podman"


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """The engine's name and version, e.g. "docker", "20.10.24"."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}://{self.version}"


def version_from_json(answer: Mapping[str, Any]) -> RuntimeVersion:
    """One GET /version answer. Podman, which speaks Docker's API, names itself among its components."""
    for component in answer.get("Components") or ():
        if _PODMAN in str(component.get("Name", "")).lower():
            return RuntimeVersion(_PODMAN, str(component["Version"]))
    return RuntimeVersion(DOCKER, str(answer["Version"]))


def common_version(minimum: str) -> str:
    """The oldest version that we and an engine with this minimum support."""
    return max(OLDEST, minimum, key=_number)


def _number(version: str) -> tuple[int, ...]:
    """A version as numbers, as 1.9 is older than 1.41; anything else is older than all versions."""
    return tuple(int(part) for part in version.split(".")) if re.fullmatch(r"\d+(\.\d+)*", version) else ()
