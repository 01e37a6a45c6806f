"""All resources of a server, found by the words that people use for them.

Two requests fetch them from a server that aggregates its discovery; from any other, one for each version of a group.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from client.discovery import Resource, resources_of
from client.errors import UnknownType
from client.rest import Document, RestClient

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class Catalog:
    """The resources of one server: the core group first, then in the order of the server."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    def find(self, word: str) -> Resource:
        """The resource with this plural, singular, kind or short name, in upper or lower case.

        A group can follow, or a version and a group: `deployments.apps`, `deployments.v1.apps`. Without a version, it
        is the one that the server prefers. Raises UnknownType.
        """
        name, _, rest = word.lower().partition(".")
        matching = [resource for resource in self._all if _in_place(resource, rest)]
        for names in (_names, _short_names):
            for resource in matching:
                if name in names(resource):
                    return resource
        raise UnknownType(word)

    def all(self) -> list[Resource]:
        """All resources, in each version."""
        return list(self._all)

    def of_category(self, category: str) -> list[Resource]:
        """The resources of a category, such as `all`."""
        return [resource for resource in self._all if resource.preferred and category in resource.categories]

    def with_subresource(self, name: str) -> Resource:
        """The first resource that has a subresource of this name. Raises UnknownType."""
        for resource in self._all:
            if name in resource.subresources:
                return resource
        raise UnknownType(name)

    @cached_property
    def _all(self) -> list[Resource]:
        """A resource is preferred in the first version that has it: some exist only in a version that is not."""
        seen: set[tuple[str, str]] = set()
        result = []
        for resource in (resource for root in ("/api", "/apis") for resource in self._below(root)):
            key = resource.group, resource.plural
            result.append(replace(resource, preferred=key not in seen))
            seen.add(key)
        return result

    def _below(self, root: str) -> Iterator[Resource]:
        document = self._client.get(root, accept=_AGGREGATED)
        if "items" in document:
            yield from _aggregated(document)
            return
        for version in _versions(document):
            yield from resources_of(version, self._client.get(f"{root}/{version}")["resources"])


def _in_place(resource: Resource, rest: str) -> bool:
    """Whether the resource is that of a group, or of a version and a group. An empty text: of any group."""
    version, _, group = rest.partition(".")
    if resource.preferred and (not rest or rest == resource.group):
        return True
    return (version, group) == (resource.version, resource.group)


def _names(resource: Resource) -> tuple[str, ...]:
    return resource.plural, resource.singular, resource.kind.lower()


def _short_names(resource: Resource) -> tuple[str, ...]:
    return resource.short_names


def _aggregated(document: Document) -> Iterator[Resource]:
    for group in document["items"]:
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group["versions"]:
            api_version = f"{name}/{version['version']}" if name else version["version"]
            for entry in version.get("resources") or []:
                yield Resource(
                    api_version,
                    entry["responseKind"]["kind"],
                    entry["resource"],
                    entry["scope"] == "Namespaced",
                    tuple(entry.get("shortNames") or ()),
                    singular=entry.get("singularResource") or entry["responseKind"]["kind"].lower(),
                    categories=tuple(entry.get("categories") or ()),
                    verbs=frozenset(entry["verbs"]),
                    subresources=frozenset(part["subresource"] for part in entry.get("subresources") or ()),
                )


def _versions(document: Document) -> Iterator[str]:
    """The versions below /api or /apis, of each group the preferred one first."""
    yield from document.get("versions") or []
    for group in document.get("groups") or []:
        first = group["preferredVersion"]["groupVersion"]
        versions = [version["groupVersion"] for version in group["versions"]]
        yield from sorted(versions, key=lambda version: version != first)
