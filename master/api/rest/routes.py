"""Paths of resources: the kind, namespace, name and subresource of a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from master import kinds
from master.api.errors import ApiError, NotFound
from master.registry.resource import Resource

_BY_PLURAL: dict[tuple[str, str, str], Resource[Any]] = {(k.group, k.version, k.plural): k for k in kinds.ALL}
GROUP_VERSIONS: dict[tuple[str, str], tuple[Resource[Any], ...]] = {
    (kind.group, kind.version): tuple(k for k in kinds.ALL if (k.group, k.version) == (kind.group, kind.version))
    for kind in kinds.ALL
}


@dataclass(frozen=True, slots=True)
class Route:
    """The resource of a path. `name` is empty for a collection."""

    kind: Resource[Any]
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def segments(raw_path: str) -> list[str]:
    """The parts of a path. Ignores a slash at the end, which the official Python client sends."""
    return [unquote(part) for part in raw_path.partition("?")[0].strip("/").split("/")]


def no_such_path() -> ApiError:
    """The error for an unknown path, in Kubernetes' words."""
    return NotFound("the server could not find the requested resource")


def resolve(parts: list[str]) -> Route:
    """The route of /api/v1/... or /apis/<group>/<version>/.... Raises NotFound for an unknown path."""
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    if not rest:
        raise no_such_path()
    namespace = ""
    # /namespaces/NS/pods is a resource in a namespace; /namespaces/NS and /namespaces/NS/status are the namespace.
    if rest[0] == "namespaces" and len(rest) > 2 and (group, version, rest[2]) in _BY_PLURAL:
        namespace, rest = rest[1], rest[2:]
    kind = _BY_PLURAL.get((group, version, rest[0]))
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if (subresource and subresource not in kind.subresources) or (name and kind.namespaced and not namespace):
        raise no_such_path()
    return Route(kind, namespace, name, subresource)
