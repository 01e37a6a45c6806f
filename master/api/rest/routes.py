"""What the URL of a request names: a resource with its version, namespace, name and subresource, or another path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from master.api.errors import ApiError, NotFound
from master.api.rest.query import Query
from master.registry.registry import Registry
from master.registry.resource import Resource, Version
from master.registry.subresource import Proxy, Subresource

# A URL that is longer is rare, and would let anybody fill the memory.
_REMEMBERED: Final = 1024
_REMEMBERED_BYTES: Final = 256


@dataclass(frozen=True)
class Route:
    """The resource of a path. `name` is empty for a collection. `namespace` is empty for all, or for none."""

    resource: Resource[Any]
    version: Version
    namespace: str = ""
    name: str = ""
    subresource: Subresource | None = None

    @cached_property
    def stored(self) -> bool:
        """Whether answers are in the stored version, so that clients get the stored bytes."""
        return self.version.from_stored is None or self.api_version == self.resource.api_version

    @property
    def api_version(self) -> str:
        """The apiVersion of the bodies of requests."""
        return self.resource.version_of(self.version)

    @cached_property
    def subresource_name(self) -> str:
        """Empty without a subresource."""
        return self.subresource.name if self.subresource is not None else ""

    @cached_property
    def labels(self) -> tuple[str, str, str, str, str]:
        """What requests for the route are counted by: group, version, plural, subresource and scope."""
        return (
            self.resource.group_of(self.version),
            self.version.name,
            self.resource.plural,
            self.subresource_name,
            "resource" if self.name else "namespace" if self.namespace else "cluster",
        )

    @property
    def answered_version(self) -> str:
        """The apiVersion of answers."""
        return self.resource.api_version if self.stored else self.api_version


class Target(msgspec.Struct, frozen=True):
    """The decoded parts of a URL's path, and its parameters. `route`: None if the path names no resource, or an unknown
    one.
    """

    parts: list[str]
    query: Query
    is_resource: bool = False
    route: Route | None = None


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


def resolve(registry: Registry, parts: list[str], old_namespace: str = "") -> Route:
    """The route of /api/v1/... or /apis/<group>/<version>/.... Raises NotFound for an unknown path.

    In versions that are only converted from, paths have no namespace: it was a parameter of the query, `old_namespace`.
    """
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace = ""
    # /namespaces/NS/pods is a resource in a namespace; /namespaces/NS and /namespaces/NS/status are the namespace.
    if len(rest) > 2 and rest[0] == "namespaces" and registry.find(group, version, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    found = registry.find(group, version, rest[0]) if rest else None
    if found is None:
        raise no_such_path()
    resource, served = found
    if served.from_stored is None and resource.namespaced and not namespace:
        namespace = old_namespace or "default"
    name = rest[1] if len(rest) > 1 else ""
    subresource = resource.subresource(rest[2]) if len(rest) > 2 else None
    misplaced = resource.namespaced != bool(namespace) and (name or namespace)
    too_long = len(rest) > 3 and not isinstance(subresource, Proxy)
    if misplaced or too_long or (len(rest) > 2 and subresource is None):
        raise no_such_path()
    return Route(resource, served, namespace, name, subresource)


class Routes:
    """The targets of one registry. It remembers them until the registry changes: clients repeat their URLs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._remembered: dict[str, Target] = {}
        registry.listen(lambda _, __: self._remembered.clear())

    def __len__(self) -> int:
        """The number of targets in memory."""
        return len(self._remembered)

    def find(self, url: str) -> Target:
        """The target of a URL, which comes without its host."""
        target = self._remembered.get(url)
        if target is None:
            target = self._find(url)
            route = target.route
            # After the name of a proxy, the path has what the object answers.
            if route is not None and not isinstance(route.subresource, Proxy) and len(url) <= _REMEMBERED_BYTES:
                if len(self._remembered) >= _REMEMBERED:
                    self._remembered.clear()
                self._remembered[url] = target
        return target

    def _find(self, url: str) -> Target:
        path, _, text = url.partition("?")
        parts, query = segments(path), Query.of(text)
        if not is_resource(parts):
            return Target(parts, query)
        try:
            route = resolve(self._registry, parts, query.text("namespace"))
        except NotFound:
            return Target(parts, query, is_resource=True)
        return Target(parts, query, is_resource=True, route=route)
