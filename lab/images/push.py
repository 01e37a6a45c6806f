"""Pushes built images to a registry over its HTTP API (Docker Registry HTTP API V2), without an engine."""

import hashlib
import http.client
from pathlib import Path
from urllib.parse import urlsplit

from lab.errors import ImageFailed
from lab.images.builder import BuiltImage

_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_TIMEOUT_S = 30.0


def push(image: BuiltImage, host: str, port: int) -> bool:
    """Push the image to the registry at host:port; False if it has the same image already. Raises ImageFailed."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    base = f"/v2/{image.recipe.repository}"
    reference = f"{base}/manifests/{image.recipe.tag}"
    try:
        present = _request(connection, "HEAD", reference, headers={"Accept": _MANIFEST_TYPE})
        if present.status == 200 and present.headers.get("Docker-Content-Digest") == image.digest:
            return False
        for blob in image.blobs():
            _push_blob(connection, base, blob)
        answer = _request(connection, "PUT", reference, body=image.manifest, headers={"Content-Type": _MANIFEST_TYPE})
        _expect(answer, 201, f"manifest of {image.recipe.reference}")
    except (OSError, http.client.HTTPException) as error:
        raise ImageFailed(f"cannot push {image.recipe.reference} to {host}:{port}: {error}") from error
    finally:
        connection.close()
    return True


def _push_blob(connection: http.client.HTTPConnection, base: str, blob: Path) -> None:
    content = blob.read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    if _request(connection, "HEAD", f"{base}/blobs/{digest}").status == 200:
        return
    upload = _request(connection, "POST", f"{base}/blobs/uploads/")
    _expect(upload, 202, f"upload of {blob.name}")
    location = urlsplit(upload.headers["Location"])
    target = f"{location.path}?{location.query}{'&' if location.query else ''}digest={digest}"
    answer = _request(connection, "PUT", target, body=content, headers={"Content-Type": "application/octet-stream"})
    _expect(answer, 201, blob.name)


def _request(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> http.client.HTTPResponse:
    connection.request(method, path, body=body, headers={"Content-Length": str(len(body or b"")), **(headers or {})})
    answer = connection.getresponse()
    answer.read()
    return answer


def _expect(answer: http.client.HTTPResponse, status: int, request: str) -> None:
    if answer.status != status:
        raise ImageFailed(f"the registry answered {answer.status} {answer.reason} to {request}")
