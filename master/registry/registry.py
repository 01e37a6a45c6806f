"""The registry: the resources that the API serves at the moment. They come and go at run time (custom resources)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from master.registry.resource import Resource, Version
from master.registry.strategy import Strategy

Listener = Callable[[Resource[Any], bool], None]


class Registry:
    """Holds resources and finds them by path or by kind.

    `strategies`: replacements for those of the resources. `lists_old`: whether discovery lists old versions.
    """

    def __init__(
        self,
        resources: Iterable[Resource[Any]] = (),
        *,
        strategies: Mapping[Resource[Any], Strategy[Any]] | None = None,
        lists_old: bool = False,
    ) -> None:
        self._lists_old = lists_old
        self._strategies = dict(strategies or {})
        self._resources: dict[str, Resource[Any]] = {}
        # (group, version, plural) -> resource and version; the same with the other plurals of the resources.
        self._served: dict[tuple[str, str, str], tuple[Resource[Any], Version]] = {}
        self._aliases: dict[tuple[str, str, str], tuple[Resource[Any], Version]] = {}
        self._listeners: list[Listener] = []
        self.revision = 0
        """Grows with every change, so that a derived document (discovery, OpenAPI) can be kept until then."""
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource[Any]]:
        return iter(self._resources.values())

    def __contains__(self, resource: Resource[Any]) -> bool:
        return self._resources.get(resource.resource) is resource

    def add(self, resource: Resource[Any]) -> None:
        """Begins to serve a resource, in place of an earlier one of the same name. Tells the listeners."""
        if resource.resource in self._resources:
            self.remove(self._resources[resource.resource])
        self._resources[resource.resource] = resource
        for version in resource.versions:
            group = resource.group_of(version)
            self._served[group, version.name, resource.plural] = (resource, version)
            for alias in resource.aliases:
                self._aliases[group, version.name, alias] = (resource, version)
        self._changed(resource, present=True)

    def remove(self, resource: Resource[Any]) -> None:
        """Stops serving a resource. Its objects stay in the store. Tells the listeners."""
        del self._resources[resource.resource]
        for served in (self._served, self._aliases):
            for path in [path for path, (other, _) in served.items() if other is resource]:
                del served[path]
        self._changed(resource, present=False)

    def _changed(self, resource: Resource[Any], *, present: bool) -> None:
        self.revision += 1
        for listener in self._listeners:
            listener(resource, present)

    def listen(self, listener: Listener) -> None:
        """Calls `listener(resource, present)` for every later change: True after it was added, False after removal."""
        self._listeners.append(listener)

    def find(self, group: str, version: str, plural: str) -> tuple[Resource[Any], Version] | None:
        """The resource of a path, with its version; None if it is not served."""
        path = (group, version, plural)
        return self._served.get(path) or self._aliases.get(path)

    def of_kind(self, api_version: str, kind: str) -> Resource[Any] | None:
        """The resource of an object's apiVersion and kind, as owner references name it; None if it is not served."""
        group, _, name = api_version.rpartition("/")
        for (served_group, served_version, _), (resource, _) in self._served.items():
            if (served_group, served_version, resource.kind) == (group, name, kind):
                return resource
        return None

    def named(self, resource: str) -> Resource[Any] | None:
        """The resource of a plural with its group, as the store's keys have it; None if it is not served."""
        return self._resources.get(resource)

    def group_versions(self) -> dict[str, list[str]]:
        """The listed versions of each group, in the order in which they were added. The core group is ""."""
        groups: dict[str, list[str]] = {}
        for (group, name, _), (_, version) in self._served.items():
            versions = groups.setdefault(group, []) if self._listed(version) else []
            if name not in versions:
                versions.append(name)
        return groups

    def _listed(self, version: Version) -> bool:
        return self._lists_old or not version.old

    def listed(self, resource: Resource[Any]) -> tuple[Version, ...]:
        """The versions of a resource that discovery and OpenAPI show."""
        return tuple(version for version in resource.versions if self._listed(version))

    def served(self, group: str, version: str) -> list[Resource[Any]]:
        """The listed resources of a group's version, in the order in which they were added."""
        return [
            resource
            for (g, v, _), (resource, served) in self._served.items()
            if (g, v) == (group, version) and self._listed(served)
        ]

    def short_names(self, resource: Resource[Any]) -> tuple[str, ...]:
        """The names that discovery lists beside the plural; with old versions, also the old plurals."""
        return (*resource.short_names, *(resource.aliases if self._lists_old else ()))

    def strategy(self, resource: Resource[Any]) -> Strategy[Any]:
        """The rules of a resource in this cluster."""
        return self._strategies.get(resource, resource.strategy)
