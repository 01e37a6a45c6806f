"""What a test runs on a cluster: manifests applied in its namespace, and waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from client import apply as declarative
from client.discovery import Discovery
from client.errors import ClientError, NotFound
from client.manifest import parse, read
from client.rest import Document, RestClient
from lab import readiness
from lab.errors import NotReady

Manifest = Path | str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A file, YAML as text, an object, or several objects."""

_READY_TIMEOUT_S: Final = 60.0
_LOOK_PERIOD_S: Final = 0.02


class Workload:
    """One namespace of a cluster, as a test fills it. Owns the memory of what was applied."""

    def __init__(self, client: RestClient, namespace: str = "default") -> None:
        self.namespace = namespace
        self._client = client
        self._discovery = Discovery(client)
        self._applied: dict[str, None] = {}

    def apply(self, manifest: Manifest) -> list[Document]:
        """Create or change what the manifest declares; the objects as the API has them then.

        What names no namespace is put into the test's own. Raises BadManifest, ClientError.
        """
        return [self._apply(document) for document in documents(manifest)]

    def get(self, reference: str) -> Document:
        """An object by `kind/name`, as `pod/web`. Raises NotFound."""
        return self._client.get(self._path(reference))

    def wait_ready(self, *references: str, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until these objects are ready; without any, all that was applied here.

        A pod is ready when its condition says so, or when it has succeeded; a controller when all its replicas are; a
        service when it has an endpoint; a node by its condition; everything else as soon as it exists. Raises NotReady
        with what each that is not says about it.
        """
        paths = [self._path(reference) for reference in references] or list(self._applied)
        deadline = time.monotonic() + timeout_s
        while lacking := [words for path in paths if (words := self._lacking(path))]:
            if time.monotonic() >= deadline:
                raise NotReady(f"not ready after {timeout_s:g} s:\n" + "\n".join(lacking))
            time.sleep(_LOOK_PERIOD_S)

    def _apply(self, document: Document) -> Document:
        resource = self._discovery.of(document)
        metadata = document["metadata"]
        if resource.namespaced and not metadata.get("namespace"):
            document = {**document, "metadata": {**metadata, "namespace": self.namespace}}
        done = declarative.apply(self._client, self._discovery, document, validation="Strict")
        path = resource.path(done.namespace, done.name)
        self._applied[path] = None
        return self._client.get(path)

    def _path(self, reference: str) -> str:
        kind, _, name = reference.partition("/")
        return self._discovery.called("v1", kind).path(self.namespace, name)

    def _lacking(self, path: str) -> str:
        try:
            found = self._client.get(path)
            kind = str(found["kind"])
            endpoints = self._client.get(_endpoints_of(path)) if kind == "Service" else None
        except NotFound:
            return f"{path}: not found"
        except ClientError as error:
            return f"{path}: {error}"
        words = readiness.lacking(kind, found, endpoints)
        return f"{kind} {found['metadata']['name']}: {words}" if words else ""


def documents(manifest: Manifest) -> list[Document]:
    """The objects of a manifest. Raises BadManifest, with the place of the fault."""
    if isinstance(manifest, Path):
        found = read(manifest)
    elif isinstance(manifest, str):
        found = parse(manifest, "the manifest")
    else:
        items = [manifest] if isinstance(manifest, Mapping) else list(manifest)
        found = parse(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), "the manifest")
    return [each.document for each in found]


def _endpoints_of(service: str) -> str:
    return service.replace("/services/", "/endpoints/")
