"""Declarative apply: creates an object, or sends a merge patch (RFC 7386) against the document that was applied last.

The last applied document is kept in the annotation that kubectl uses, so that both tools can be used on one object. A
field that was in that document and is no longer in the manifest is removed. Fields that are in neither stay as others
have set them.
"""

import copy
import json
from dataclasses import dataclass
from typing import Any, Literal

from client.discovery import Discovery, Resource
from client.errors import AlreadyExists, NotFound
from client.rest import Document, RestClient

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
Outcome = Literal["created", "configured", "unchanged"]
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome for one document."""

    kind: str
    name: str
    namespace: str
    outcome: Outcome


def apply(client: RestClient, discovery: Discovery, document: Document, *, validation: str = "Warn") -> Applied:
    """Bring one object to the state of the document. `validation` is the API's fieldValidation:
    Ignore, Warn, Strict.
    """
    resource, namespace, name = place_of(client, discovery, document)
    query = {"fieldManager": "sampan", "fieldValidation": validation}
    path = resource.path(namespace, name)
    outcome: Outcome = "created"
    live = _get(client, path) if name else None
    if live is None:
        try:
            made = client.create(resource.path(namespace), annotated(document), query)
            name = made["metadata"]["name"]
        except AlreadyExists:
            live = client.get(path)  # another client created it meanwhile
    if live is not None:
        change = patch_for(live, document)
        outcome = "configured" if change else "unchanged"
        if change:
            client.patch(path, change, query=query)
    return Applied(resource.kind, name, namespace, outcome)


def place_of(client: RestClient, discovery: Discovery, document: Document) -> tuple[Resource, str, str]:
    """Where a document belongs: resource, namespace and name. The name is empty if the server shall make one."""
    resource, metadata = discovery.of(document), document["metadata"]
    namespace = (metadata.get("namespace") or client.access.namespace) if resource.namespaced else ""
    return resource, namespace, metadata.get("name") or ""


def annotated(document: Document) -> Document:
    """The document with a copy of itself in the annotation."""
    result = copy.deepcopy(document)
    annotations = result["metadata"].get("annotations") or {}
    result["metadata"]["annotations"] = {**annotations, LAST_APPLIED: _remembered(document)}
    return result


def patch_for(live: Document, document: Document) -> Document:
    """The merge patch that brings `live` to `document`; empty if no change is needed."""
    try:
        last = json.loads((live["metadata"].get("annotations") or {}).get(LAST_APPLIED) or "{}")
    except ValueError:
        last = {}
    change = _difference(live, last if isinstance(last, dict) else {}, document)
    if change or json.loads(_remembered(document)) != last:
        metadata = change.setdefault("metadata", {})
        metadata["annotations"] = {**(metadata.get("annotations") or {}), LAST_APPLIED: _remembered(document)}
    return change


def _difference(live: Document, last: Document, desired: Document) -> Document:
    change: Document = {}
    for key in last.keys() - desired.keys():
        if key in live:
            change[key] = None
    for key, value in desired.items():
        present, before = live.get(key, _ABSENT), last.get(key, _ABSENT)
        if isinstance(value, dict) and isinstance(present, dict):
            inner = _difference(present, before if isinstance(before, dict) else {}, value)
            if inner:
                change[key] = inner
        elif value is None:
            if present is not _ABSENT:
                change[key] = None
        elif not _settled(present, before, value):
            change[key] = value
    return change


def _settled(live: Any, last: Any, desired: Any) -> bool:
    """Whether a list or scalar needs no change.

    A merge patch replaces lists as a whole, and the server adds defaults to their items. So a list stays as it is if it
    is the list that was applied last, and the live items still contain it.
    """
    if isinstance(desired, list):
        return live == desired or (last == desired and _contains(live, desired))
    return bool(live == desired)


def _contains(live: Any, desired: Any) -> bool:
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(key in live and _contains(live[key], desired[key]) for key in desired)
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(_contains(a, b) for a, b in zip(live, desired, strict=True))
        )
    return bool(live == desired)


def _remembered(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True, default=str)


def _get(client: RestClient, path: str) -> Document | None:
    try:
        return client.get(path)
    except NotFound:
        return None
