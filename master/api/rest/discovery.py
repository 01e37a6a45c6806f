"""Discovery: the API's groups, versions and resources for clients, computed from the registry.

These are the documents that every client understands. Newer ones prefer the aggregated form (aggregated.py).
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, Final

from master.registry.registry import Registry
from master.registry.resource import Resource
from master.registry.subresource import Subresource

_VERSION: Final = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")
_STABILITY: Final = {None: 2, "beta": 1, "alpha": 0}


def by_preference(versions: list[str]) -> list[str]:
    """The versions of a group, the preferred one first: stable ones, then beta, then alpha; higher numbers first.

    Versions of any other form come last, in the order of the alphabet.
    """
    return sorted(sorted(versions), key=_rank, reverse=True)


def _rank(version: str) -> tuple[int, int, int]:
    match = _VERSION.fullmatch(version)
    return (_STABILITY[match[2]], int(match[1]), int(match[3] or 0)) if match else (-1, 0, 0)


class Discovery:
    """The documents about a registry. `server`: host and port that clients should use."""

    def __init__(self, registry: Registry, server: str) -> None:
        self._registry = registry
        self._server = server

    def group_versions(self) -> dict[str, list[str]]:
        """The served versions of each group, the preferred one first. The core group is ""."""
        return {group: by_preference(versions) for group, versions in self._registry.group_versions().items()}

    def paths(self) -> list[str]:
        """The paths of all groups and their versions."""
        paths = {"/api", "/apis"}
        for group, versions in self._registry.group_versions().items():
            root = f"/apis/{group}" if group else "/api"
            paths |= {root, *(f"{root}/{version}" for version in versions)}
        return sorted(paths)

    def api_versions(self) -> dict[str, Any]:
        """/api"""
        return {
            "kind": "APIVersions",
            "versions": self.group_versions().get("", []),
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._server}],
        }

    def group(self, name: str) -> dict[str, Any] | None:
        """/apis/<group>; None for an unknown group."""
        names = self.group_versions().get(name) if name else None
        if not names:
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, names)}

    def groups(self) -> dict[str, Any]:
        """/apis"""
        items = [_group(name, versions) for name, versions in self.group_versions().items() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": items}

    def resources(self, group: str, version: str) -> dict[str, Any] | None:
        """/api/v1 and /apis/<group>/<version>; None for an unknown version."""
        served = self._registry.served(group, version)
        if not served:
            return None
        items: list[dict[str, Any]] = []
        for resource in sorted(served, key=lambda resource: resource.plural):
            items.append(_resource(self._registry, resource))
            items += [_subresource(resource, subresource) for subresource in resource.subresources]
        group_version = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": items}


def _group(name: str, names: list[str]) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in names]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource(registry: Registry, resource: Resource[Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        **offered(registry, resource),
    }
    if "list" in resource.verbs:
        # What is never stored has no stored version.
        item["storageVersionHash"] = storage_version_hash(resource)
    return item


def offered(registry: Registry, resource: Resource[Any]) -> dict[str, list[str]]:
    """The verbs of a resource, and its short names and categories if it has any. All forms of discovery have them."""
    lists = {"shortNames": registry.short_names(resource), "categories": resource.categories}
    return {"verbs": list(resource.verbs), **{name: list(values) for name, values in lists.items() if values}}


def storage_version_hash(resource: Resource[Any]) -> str:
    """Changes if the objects are stored in another version: 8 bytes of SHA-256 of group, version and kind."""
    text = f"{resource.group}/{resource.version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _subresource(resource: Resource[Any], subresource: Subresource) -> dict[str, Any]:
    served = subresource.served
    item: dict[str, Any] = {
        "name": f"{resource.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": served.kind if served else resource.kind,
        "verbs": list(subresource.verbs),
    }
    if served and served.version:
        item |= {"group": served.group, "version": served.version}
    return item
