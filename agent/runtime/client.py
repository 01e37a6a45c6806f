"""EngineClient: the Docker SDK's client, with an API version that the engine supports.

Our requests are the same in all versions. So the client uses the oldest version that both sides support: 1.41, or the
engine's minimum if that is newer (1.44 since Docker 29). The SDK itself would negotiate the newest version, whose
answers change with every release of an engine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors
import requests

OLDEST: Final = "1.41"
"""The API version of Docker 20.10 and Podman 4."""
_TOO_OLD: Final = re.compile(r"client version \S+ is too old")


class EngineClient(docker.APIClient):
    """Negotiates with its first request, and again if the engine was replaced by one that refuses the version."""

    def __init__(self, socket: Path, *, timeout_s: int | None) -> None:
        # The stub does not allow None (no time-out), which a followed log needs.
        super().__init__(base_url=f"unix://{socket}", version=OLDEST, timeout=timeout_s)  # type: ignore[arg-type]
        self._negotiated = False

    def _url(self, pathfmt: str, *arguments: Any, versioned_api: bool = True, **options: Any) -> str:
        if versioned_api and not self._negotiated:
            answer = self.version(api_version=False)
            self._version = common_version(str(answer.get("MinAPIVersion", "")))
            self._negotiated = True
        return str(super()._url(pathfmt, *arguments, versioned_api=versioned_api, **options))  # type: ignore[misc]

    def _raise_for_status(self, response: requests.Response) -> None:
        try:
            super()._raise_for_status(response)  # type: ignore[misc]
        except docker.errors.APIError as error:
            if not _TOO_OLD.search(str(error.explanation)):
                raise
            self._negotiated = False
            raise docker.errors.DockerException(f"the engine has been replaced: {error.explanation}") from error


def common_version(minimum: str) -> str:
    """The oldest version that we and an engine with this minimum support."""
    return max(OLDEST, minimum, key=_number)


def _number(version: str) -> tuple[int, ...]:
    """A version as numbers, as 1.9 is older than 1.41; anything else is older than all versions."""
    return tuple(int(part) for part in version.split(".")) if re.fullmatch(r"\d+(\.\d+)*", version) else ()
