"""A resource: where its objects are stored, the versions in which it is served, and all that is peculiar to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from master.objects.index import OWNER, Index
from master.objects.meta import Object
from master.registry.computed import Computed
from master.registry.deletion import DeletionPolicy
from master.registry.strategy import Strategy
from master.registry.subresource import Action, Subresource
from master.registry.table import PLAIN, Table
from master.schema.checks import Findings
from master.schema.schema import Schema

T = TypeVar("T", bound=Object)

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A resource in one version of its group, or of another group.

    The conversions translate the JSON value of an object (apiVersion included) from and to the stored version. They are
    called for versions other than the stored one. `from_stored` None: answers are in the stored version. `group` None:
    the resource's own. `fields`: the version's names of fields for selectors, and the stored version's.
    `check(new, old, findings)` adds rules for writes in this version; both objects are in the stored version.
    """

    name: str
    schema: Schema[Any]
    from_stored: Callable[[dict[str, Any]], dict[str, Any]] | None = _same
    to_stored: Callable[[dict[str, Any]], dict[str, Any]] = _same
    group: str | None = None
    fields: Mapping[str, str] | None = None
    check: Callable[[Any, Any, Findings], None] | None = None
    # An old version is served, but missing in discovery unless the registry lists old ones. A body in it is also
    # accepted at the stored version's path.
    old: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Generic[T]):
    """One resource as the API serves it. Compared by identity, because there is one Resource value for each resource.

    `schema` is the one of the stored version, which is named `version`. `served` has further versions.
    """

    kind: str
    plural: str
    schema: Schema[T]
    group: str = ""
    version: str = "v1"
    served: tuple[Version, ...] = ()
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    strategy: Strategy[T] = field(default_factory=Strategy)
    deletion: DeletionPolicy[T] = field(default_factory=DeletionPolicy)
    table: Table = PLAIN
    # Fields for field selectors, besides metadata.name and metadata.namespace: the path, and a function that reads it.
    fields: Mapping[str, Callable[[T], str]] = field(default_factory=dict)
    # Whether a change of the desired state increments metadata.generation. Kinds without a spec have none.
    has_generation: bool = False
    # Whether an update must name the version of the object that it replaces.
    needs_version: bool = False
    # Whether the cache keeps all objects of the kind decoded. Only for kinds with few objects that are read often.
    hot: bool = False
    # What the cache can be asked by, besides namespace and name.
    indexes: tuple[Index, ...] = (OWNER,)
    # For a kind whose objects are made from templates: the texts in their specs that differ between objects of one
    # template, in the order of the JSON. The cache keeps the rest of equal specs once.
    varying: tuple[str, ...] = ()
    # Other plurals in paths, which discovery does not list: `minions` for nodes.
    aliases: tuple[str, ...] = ()
    # What a create does, for a resource whose objects are only questions and never stored, such as TokenReview.
    action: Action | None = None
    # Makes the objects when they are read, for a resource whose objects are never stored, such as NodeMetrics.
    computed: Computed | None = None

    @property
    def api_version(self) -> str:
        """The stored version: `v1`, or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def versions(self) -> tuple[Version, ...]:
        """All served versions. The stored one is the first."""
        return (Version(self.version, self.schema), *self.served)

    @property
    def stored(self) -> bool:
        """Whether its objects are stored, so that the cache has them."""
        return self.action is None and self.computed is None

    def group_of(self, version: Version) -> str:
        """The group of one of the versions."""
        return self.group if version.group is None else version.group

    def version_of(self, version: Version) -> str:
        """The apiVersion of objects in one of the versions."""
        group = self.group_of(version)
        return f"{group}/{version.name}" if group else version.name

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """The plural with its group, as keys and messages show it: `pods`, `endpointslices.discovery.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """The prefix of the store's keys of all objects of the resource."""
        return f"/registry/{self.resource}/"

    def key(self, namespace: str, name: str) -> str:
        """The store's key of one object. Cluster-scoped resources have `-` as namespace."""
        return f"/registry/{self.resource}/{namespace if self.namespaced else '-'}/{name}"

    def decode(self, raw: bytes) -> T:
        """The stored object. Raises ValueError if its types differ from those of the schema."""
        return self.schema.decode(raw)

    def salvage(self, raw: bytes) -> T:
        """A stored object that `decode` refuses, as far as it can be read. Raises ValueError."""
        return self.schema.salvage(raw)

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of this name, or None."""
        return next((subresource for subresource in self.subresources if subresource.name == name), None)

    def __repr__(self) -> str:
        return f"Resource({self.resource})"
