"""EngineClient: the Docker SDK's client, in a version of the API that the engine speaks.

What we ask for is the same in all of them, so the oldest is taken that both sides know: 1.41, or the engine's minimum
where that is newer (1.44 since Docker 29). The SDK's own negotiation takes the newest, in which answers change with
every release of an engine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors
import requests

OLDEST: Final = "1.41"
"""Docker 20.10's, and Podman 4's."""
_TOO_OLD: Final = re.compile(r"client version \S+ is too old")


class EngineClient(docker.APIClient):
    """Negotiates with its first request, and again after the engine was replaced by one that no longer knows ours."""

    def __init__(self, socket: Path, *, timeout_s: int | None) -> None:
        # The stub forgets that None means no time-out, which a followed log needs.
        super().__init__(base_url=f"unix://{socket}", version=OLDEST, timeout=timeout_s)  # type: ignore[arg-type]
        self._negotiated = False

    def _url(self, pathfmt: str, *arguments: Any, versioned_api: bool = True, **options: Any) -> str:
        if versioned_api and not self._negotiated:
            told = self.version(api_version=False)
            self._version = max(OLDEST, str(told.get("MinAPIVersion", "")), key=_number)
            self._negotiated = True
        return str(super()._url(pathfmt, *arguments, versioned_api=versioned_api, **options))  # type: ignore[misc]

    def _raise_for_status(self, response: requests.Response) -> None:
        try:
            super()._raise_for_status(response)  # type: ignore[misc]
        except docker.errors.APIError as error:
            if not _TOO_OLD.search(str(error.explanation)):
                raise
            self._negotiated = False
            raise docker.errors.DockerException(f"the engine is another one now: {error.explanation}") from error


def _number(version: str) -> tuple[int, ...]:
    """1.9 is older than 1.41; what is no version is older than all."""
    return tuple(int(part) for part in version.split(".")) if re.fullmatch(r"\d+(\.\d+)*", version) else ()
