"""Aggregated discovery: all groups with their versions and resources in one document.

Newer clients send two requests, for `/api` and `/apis`, instead of one for each version of each group. They name the
form in the Accept header, and must get exactly the version of it that they asked for, or the older documents.
"""

from __future__ import annotations

from typing import Any, Final

from master.api.rest.accept import JSON, clauses
from master.api.rest.discovery import Discovery, offered
from master.registry.registry import Registry
from master.registry.resource import Resource
from master.registry.subresource import Subresource

GROUP: Final = "apidiscovery.k8s.io"
_KIND: Final = "APIGroupDiscoveryList"
# Both have the same fields.
_VERSIONS: Final = ("v2", "v2beta1")


def requested(accept: str) -> str:
    """The version of the aggregated form that the client prefers; empty if it prefers the older documents."""
    for clause in clauses(accept):
        if not clause.covers(JSON):
            continue
        if not clause.transformed:
            return ""
        if clause.transformed == _KIND and clause.group_version(GROUP) in _VERSIONS:
            return clause.group_version(GROUP)
    return ""


def media_type(version: str) -> str:
    """The media type of the document in this version."""
    return f"{JSON};g={GROUP};v={version};as={_KIND}"


class Aggregated:
    """Makes the documents about a registry."""

    def __init__(self, registry: Registry, discovery: Discovery) -> None:
        self._registry = registry
        self._discovery = discovery

    def document(self, version: str, *, core: bool) -> dict[str, Any]:
        """The core group, or all others, in this version of the form."""
        groups = self._discovery.group_versions().items()
        items = [self._group(name, versions) for name, versions in groups if (not name) == core]
        return {"kind": _KIND, "apiVersion": f"{GROUP}/{version}", "metadata": {}, "items": items}

    def _group(self, name: str, versions: list[str]) -> dict[str, Any]:
        items = [
            {"version": version, "resources": self._resources(name, version), "freshness": "Current"}
            for version in versions
        ]
        return {"metadata": {"name": name} if name else {}, "versions": items}

    def _resources(self, group: str, version: str) -> list[dict[str, Any]]:
        served = sorted(self._registry.served(group, version), key=lambda resource: resource.plural)
        return [_resource(self._registry, resource, group, version) for resource in served]


def _resource(registry: Registry, resource: Resource[Any], group: str, version: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind(group, version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        **offered(registry, resource),
    }
    if resource.subresources:
        item["subresources"] = [_subresource(resource, part, group, version) for part in resource.subresources]
    return item


def _subresource(resource: Resource[Any], subresource: Subresource, group: str, version: str) -> dict[str, Any]:
    served = subresource.served
    if served is None:
        kind = _kind(group, version, resource.kind)
    elif served.version:
        kind = _kind(served.group, served.version, served.kind)
    else:
        kind = _kind(group, version, served.kind)
    return {"subresource": subresource.name, "responseKind": kind, "verbs": list(subresource.verbs)}


def _kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}
