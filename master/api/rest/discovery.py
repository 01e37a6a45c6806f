"""Discovery: the API's groups, versions and resources for clients, computed from the kinds' declarations."""

from __future__ import annotations

import platform
from typing import Any

from master.registry.registry import Registry
from master.registry.resource import Resource
from master.registry.subresource import Subresource
from proto import contract

# The Kubernetes version of the API. The rest of GIT_VERSION is Sampan's own.
MAJOR, MINOR = "1", "30"
GIT_VERSION = f"v{MAJOR}.{MINOR}.0+sampan-{contract.VERSION}"


class Discovery:
    """The documents about a registry."""

    def __init__(self, registry: Registry, server: str) -> None:
        self._registry = registry
        self._server = server

    def paths(self) -> list[str]:
        """The paths of all groups' versions."""
        groups = self._registry.group_versions()
        return [f"/apis/{group}/{version}" for group, versions in groups.items() if group for version in versions]

    def api_versions(self) -> dict[str, Any]:
        """/api"""
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._server}],
        }

    def group(self, name: str) -> dict[str, Any] | None:
        """/apis/<group>; None for an unknown group."""
        names = self._registry.group_versions().get(name) if name else None
        if not names:
            return None
        versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in names]
        return {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": name,
            "versions": versions,
            "preferredVersion": versions[0],
        }

    def groups(self) -> dict[str, Any]:
        """/apis"""
        documents = [self.group(name) for name in self._registry.group_versions() if name]
        items = [
            {key: value for key, value in document.items() if key not in ("kind", "apiVersion")}
            for document in documents
            if document is not None
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": items}

    def resources(self, group: str, version: str) -> dict[str, Any] | None:
        """/api/v1 and /apis/<group>/<version>; None for an unknown version."""
        served = self._registry.served(group, version)
        if not served:
            return None
        items: list[dict[str, Any]] = []
        for resource in sorted(served, key=lambda resource: resource.plural):
            items.append(_resource(resource))
            items += [_subresource(resource, subresource) for subresource in resource.subresources]
        group_version = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": items}


def _resource(kind: Resource[Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        item["shortNames"] = list(kind.short_names)
    if kind.categories:
        item["categories"] = list(kind.categories)
    return item


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


def version() -> dict[str, Any]:
    """/version"""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"Python {platform.python_version()}",
        "platform": f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }",
    }
