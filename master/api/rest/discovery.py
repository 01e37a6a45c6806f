"""Discovery: the API's groups, versions and resources for clients, computed from the kinds' declarations."""

from __future__ import annotations

import platform
from typing import Any

from master.api.rest.routes import GROUP_VERSIONS
from master.registry.resource import ALL_VERBS, Resource
from proto import contract

_SUBRESOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "status": ("", ("get", "patch", "update")),
    "scale": ("Scale", ("get", "patch", "update")),
    "binding": ("Binding", ("create",)),
    "log": ("", ("get",)),
    "finalize": ("", ("update",)),
}
# The Kubernetes version of the API. The rest of GIT_VERSION is Sampan's own.
MAJOR, MINOR = "1", "30"
GIT_VERSION = f"v{MAJOR}.{MINOR}.0+sampan-{contract.VERSION}"


def api_versions(server: str) -> dict[str, Any]:
    """/api"""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}],
    }


def group(name: str) -> dict[str, Any]:
    """/apis/<group>"""
    versions = [{"groupVersion": f"{g}/{v}", "version": v} for g, v in GROUP_VERSIONS if g == name]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": versions[0]}


def groups() -> dict[str, Any]:
    """/apis"""
    names = dict.fromkeys(g for g, _ in GROUP_VERSIONS if g)
    items = [{key: value for key, value in group(name).items() if key not in ("kind", "apiVersion")} for name in names]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": items}


def resources(group_name: str, version: str) -> dict[str, Any]:
    """/api/v1 and /apis/<group>/<version>"""
    kinds = GROUP_VERSIONS[group_name, version]
    items: list[dict[str, Any]] = []
    for kind in sorted(kinds, key=lambda kind: kind.plural):
        items.append(_resource(kind))
        items += [_subresource(kind, name) for name in kind.subresources]
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": items}


def _resource(kind: Resource[Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": [verb for verb in ALL_VERBS if verb != "deletecollection" or kind.plural != "namespaces"],
    }
    if kind.short_names:
        item["shortNames"] = list(kind.short_names)
    if kind.categories:
        item["categories"] = list(kind.categories)
    return item


def _subresource(kind: Resource[Any], name: str) -> dict[str, Any]:
    served_as, verbs = _SUBRESOURCES[name]
    item: dict[str, Any] = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": served_as or kind.kind,
        "verbs": list(verbs),
    }
    if served_as == "Scale":
        item |= {"group": "autoscaling", "version": "v1"}
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
