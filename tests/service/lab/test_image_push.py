"""A built image goes to a registry, over HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.errors import ImageFailed
from lab.images.builder import BuiltImage
from lab.images.push import push
from lab.images.recipes import ImageRecipe, LayerRecipe

IMAGE = ImageRecipe(name="some/image", layer=LayerRecipe(packages=("p",), take={}), entrypoint=("/bin/tool",))


class Registry(BaseHTTPRequestHandler):
    """The part of the Registry HTTP API V2 that a push uses, with its checks."""

    protocol_version = "HTTP/1.1"
    blobs: dict[str, bytes]
    manifests: dict[str, bytes]

    def do_HEAD(self) -> None:
        name = self.path.rpartition("/")[2]
        content = self.blobs.get(name) if "/blobs/" in self.path else self.manifests.get(self.path)
        self._answer(404 if content is None else 200, content or b"")

    def do_POST(self) -> None:
        self._answer(202, b"", Location=f"http://{self.headers['Host']}{self.path}session?_state=s")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "/manifests/" in self.path:
            manifest = json.loads(body)
            digests = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
            if any(digest not in self.blobs for digest in digests):
                self._answer(400, b"")
                return
            self.manifests[self.path] = body
        else:
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            assert self.path.endswith(f"?_state=s&digest={digest}")
            self.blobs[digest] = body
        self._answer(201, body)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        headers["Docker-Content-Digest"] = "sha256:" + hashlib.sha256(body).hexdigest()
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Do not log."""


@pytest.fixture
def registry() -> Iterator[tuple[int, type[Registry]]]:
    handler = type("Fresh", (Registry,), {"blobs": {}, "manifests": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1], handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def built(tmp_path: Path) -> BuiltImage:
    files = {"layer.tar.gz": b"layer", "config.json": b"{}"}
    digests = {name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {"config": {"digest": digests["config.json"]}, "layers": [{"digest": digests["layer.tar.gz"]}]}
    for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
        (tmp_path / name).write_bytes(content)
    return BuiltImage(IMAGE, tmp_path)


def test_an_image_is_pushed_once(built: BuiltImage, registry: tuple[int, type[Registry]]) -> None:
    port, stored = registry
    assert push(built, "127.0.0.1", port)
    assert stored.manifests == {"/v2/some/image/manifests/latest": built.manifest}
    assert len(stored.blobs) == 2
    assert not push(built, "127.0.0.1", port)


def test_a_missing_registry_is_an_error(built: BuiltImage) -> None:
    with pytest.raises(ImageFailed, match="cannot push some/image:latest"):
        push(built, "127.0.0.1", 1)
