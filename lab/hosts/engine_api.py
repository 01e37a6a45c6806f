"""The requests that a lab sends to an engine's socket: ping, the list of containers, the pid of a pod's sandbox.

Without Docker's SDK, whose import takes longer than the start of an engine.
"""

import http.client
import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hull import unixhttp
from lab.errors import NotFound

POD_UID = "io.sampan.pod.uid"
POD_NAME = "io.sampan.pod.name"
CONTAINER = "io.sampan.container"
"""The agents' labels on their containers; CONTAINER is empty on a pod's sandbox."""

_TIMEOUT_S = 5.0
_PING_TIMEOUT_S = 2.0


def answers(engine: Path) -> bool:
    """Whether the engine at this socket answers a ping."""
    try:
        status, _ = _get(engine, "/_ping", timeout_s=_PING_TIMEOUT_S)
    except NotFound:
        return False
    return status == HTTPStatus.OK


def containers(engine: Path, labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """All containers with these labels, running or not, as `GET /containers/json` lists them.

    Raises NotFound if the engine does not answer.
    """
    filters = json.dumps({"label": [f"{key}={value}" for key, value in (labels or {}).items()]})
    return list(_json(engine, f"/containers/json?all=1&filters={quote(filters)}"))


def sandbox_pid(engine: Path, pod_uid: str) -> int:
    """The pid of a pod's pause process. Raises NotFound if none runs."""
    for container in containers(engine, {POD_UID: pod_uid, CONTAINER: ""}):
        if container["State"] == "running":
            return int(_json(engine, f"/containers/{container['Id']}/json")["State"]["Pid"])
    raise NotFound(f"pod {pod_uid} has no running sandbox")


def _json(engine: Path, path: str) -> Any:
    status, body = _get(engine, path, timeout_s=_TIMEOUT_S)
    if status != HTTPStatus.OK:
        raise NotFound(f"{engine}: {path}: {body.decode(errors='replace').strip()}")
    return json.loads(body)


def _get(engine: Path, path: str, *, timeout_s: float) -> tuple[int, bytes]:
    try:
        return unixhttp.get(engine, path, timeout_s=timeout_s)
    except (OSError, http.client.HTTPException) as error:
        raise NotFound(f"the engine at {engine} does not answer: {error}") from error
