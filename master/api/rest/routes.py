"""Paths of resources: the resource, its version, namespace, name and subresource."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from master.api.errors import ApiError, NotFound
from master.registry.registry import Registry
from master.registry.resource import Resource, Version
from master.registry.subresource import Subresource


class Route(msgspec.Struct, frozen=True):
    """The resource of a path. `name` is empty for a collection. `namespace` is empty for all, or for none."""

    resource: Resource[Any]
    version: Version
    namespace: str = ""
    name: str = ""
    subresource: Subresource | None = None

    @property
    def stored(self) -> bool:
        """Whether the path's version is the stored one, so that clients get the stored bytes."""
        return self.version.name == self.resource.version

    @property
    def api_version(self) -> str:
        group = self.resource.group
        return f"{group}/{self.version.name}" if group else self.version.name


def segments(raw_path: str) -> list[str]:
    """The parts of a path. Ignores a slash at the end, which the official Python client sends."""
    parts = raw_path.strip("/").split("/")
    return [unquote(part) for part in parts] if "%" in raw_path else parts


def is_resource(parts: list[str]) -> bool:
    """Whether the path is a resource, not discovery."""
    return (parts[0] == "api" and len(parts) > 2) or (parts[0] == "apis" and len(parts) > 3)


def no_such_path() -> ApiError:
    """The error for an unknown path, in Kubernetes' words."""
    return NotFound("the server could not find the requested resource")


def resolve(registry: Registry, parts: list[str]) -> Route:
    """The route of /api/v1/... or /apis/<group>/<version>/.... Raises NotFound for an unknown path."""
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace = ""
    # /namespaces/NS/pods is a resource in a namespace; /namespaces/NS and /namespaces/NS/status are the namespace.
    if len(rest) > 2 and rest[0] == "namespaces" and registry.find(group, version, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    found = registry.find(group, version, rest[0]) if 0 < len(rest) <= 3 else None
    if found is None:
        raise no_such_path()
    resource, served = found
    name = rest[1] if len(rest) > 1 else ""
    subresource = resource.subresource(rest[2]) if len(rest) > 2 else None
    misplaced = resource.namespaced != bool(namespace) and (name or namespace)
    if misplaced or (len(rest) > 2 and subresource is None):
        raise no_such_path()
    return Route(resource, served, namespace, name, subresource)
