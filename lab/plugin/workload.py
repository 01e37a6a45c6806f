"""The objects of a test on a cluster: applies manifests in the test's namespace, and waits until they are ready."""

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
    """One namespace of a cluster. Records the applied objects, so that `wait_ready` can wait for them."""

    def __init__(self, client: RestClient, namespace: str = "default") -> None:
        self.namespace = namespace
        self._client = client
        self._discovery = Discovery(client)
        self._applied: dict[str, None] = {}

    def apply(self, manifest: Manifest) -> list[Document]:
        """Create or change the objects of the manifest; returns them as the API stores them.

        Objects without a namespace go into the test's own. Raises BadManifest, ClientError.
        """
        return [self._apply(document) for document in documents(manifest)]

    def get(self, reference: str) -> Document:
        """An object by `kind/name`, such as `pod/web`. Raises NotFound."""
        return self._client.get(self._path(reference))

    def wait_ready(self, *references: str, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until these objects are ready; without arguments, all that were applied here.

        A pod is ready if its Ready condition is true or it has succeeded; a controller if all its replicas are ready; a
        service if it has an endpoint; a node by its Ready condition; any other object if it exists. Raises NotReady,
        with a reason for each object that is not ready.
        """
        paths = [self._path(reference) for reference in references] or list(self._applied)
        deadline = time.monotonic() + timeout_s
        while lacking := [reason for path in paths if (reason := self._lacking(path))]:
            if time.monotonic() >= deadline:
                raise NotReady(f"not ready after {timeout_s:g} s:\n" + "\n".join(lacking))
            time.sleep(_LOOK_PERIOD_S)

    def _apply(self, document: Document) -> Document:
        resource = self._discovery.of(document)
        metadata = document["metadata"]
        if resource.namespaced and not metadata.get("namespace"):
            document = {**document, "metadata": {**metadata, "namespace": self.namespace}}
        applied = declarative.apply(self._client, self._discovery, document, validation="Strict")
        path = resource.path(applied.namespace, applied.name)
        self._applied[path] = None
        return self._client.get(path)

    def _path(self, reference: str) -> str:
        kind, _, name = reference.partition("/")
        return self._discovery.called("v1", kind).path(self.namespace, name)

    def _lacking(self, path: str) -> str:
        try:
            document = self._client.get(path)
            kind = str(document["kind"])
            endpoints = self._client.get(_endpoints_of(path)) if kind == "Service" else None
        except NotFound:
            return f"{path}: not found"
        except ClientError as error:
            return f"{path}: {error}"
        reason = readiness.lacking(kind, document, endpoints)
        return f"{kind} {document['metadata']['name']}: {reason}" if reason else ""


def documents(manifest: Manifest) -> list[Document]:
    """The objects of a manifest. Raises BadManifest, which names the place of the error."""
    if isinstance(manifest, Path):
        objects = read(manifest)
    elif isinstance(manifest, str):
        objects = parse(manifest, "the manifest")
    else:
        items = [manifest] if isinstance(manifest, Mapping) else list(manifest)
        objects = parse(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), "the manifest")
    return [item.document for item in objects]


def _endpoints_of(service: str) -> str:
    return service.replace("/services/", "/endpoints/")
