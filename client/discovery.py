"""The kinds that a server has, and the paths of their objects. Each group and version is requested once."""

from collections.abc import Iterator
from dataclasses import dataclass

from client.errors import BadManifest, NotFound
from client.rest import Document, RestClient


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the server serves it. `api_version` is `v1` or `group/version`.

    `preferred`: false if a catalog has the same resource in a version that the server prefers.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    singular: str = ""
    categories: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()
    subresources: frozenset[str] = frozenset()
    preferred: bool = True

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def title(self) -> str:
        """The type before the name of an object: `pod`, `deployment.apps`."""
        singular = self.singular or self.kind.lower()
        return f"{singular}.{self.group}" if self.group else singular

    def path(self, namespace: str = "", name: str = "", *, subresource: str = "") -> str:
        """The path of a collection, an object or a subresource. Without a namespace: of all namespaces."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class Discovery:
    """The kinds of one server."""

    def __init__(self, client: RestClient) -> None:
        self._client = client
        self._known: dict[str, dict[str, Resource]] = {}

    def of(self, document: Document) -> Resource:
        """The resource of an object, from its apiVersion and kind."""
        return self.resource(document["apiVersion"], document["kind"])

    def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises BadManifest if the server has no such kind."""
        try:
            return self._of_version(api_version)[kind]
        except KeyError:
            raise _unknown(api_version, kind) from None

    def called(self, api_version: str, word: str) -> Resource:
        """The resource with this kind, plural or short name, in upper or lower case. Raises BadManifest."""
        for resource in self._of_version(api_version).values():
            if word.lower() in (resource.kind.lower(), resource.plural, *resource.short_names):
                return resource
        raise _unknown(api_version, word)

    def _of_version(self, api_version: str) -> dict[str, Resource]:
        if api_version not in self._known:
            self._known[api_version] = self._ask(api_version)
        return self._known[api_version]

    def _ask(self, api_version: str) -> dict[str, Resource]:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            listed = self._client.get(path)["resources"]
        except NotFound:
            return {}
        return {resource.kind: resource for resource in resources_of(api_version, listed)}


def resources_of(api_version: str, listed: list[Document]) -> Iterator[Resource]:
    """The resources of one version of a group, from the list that the server gives of it."""
    for entry in listed:
        plural, _, subresource = entry["name"].partition("/")
        if subresource:
            continue
        parts = (other["name"].partition("/") for other in listed)
        yield Resource(
            api_version,
            entry["kind"],
            plural,
            bool(entry["namespaced"]),
            tuple(entry.get("shortNames") or ()),
            singular=entry.get("singularName") or entry["kind"].lower(),
            categories=tuple(entry.get("categories") or ()),
            verbs=frozenset(entry.get("verbs") or ()),
            subresources=frozenset(part for owner, _, part in parts if part and owner == plural),
        )


def _unknown(api_version: str, kind: str) -> BadManifest:
    return BadManifest(f'the server has no kind "{kind}" in version "{api_version}"')
