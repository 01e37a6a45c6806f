"""The declaration of a kind: its names, its model, its subresources and the fields that a field selector may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from master.objects.meta import Object

T = TypeVar("T", bound=Object)

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, eq=False)
class KindSpec(Generic[T]):
    """One kind as the API serves it. Compared by identity: there is one value a kind."""

    kind: str
    plural: str
    model: type[T]
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    # What a field selector may name beside metadata.name and metadata.namespace, and how to read it.
    fields: Mapping[str, Callable[[T], str]] = field(default_factory=dict)
    # spec is what people want and moves `generation`; ConfigMap and its like have none.
    has_generation: bool = False

    @property
    def api_version(self) -> str:
        """`v1`, or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """The plural with its group, as in keys and messages: `pods`, `endpointslices.discovery.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """Where the kind's objects lie in the store."""
        return f"/registry/{self.resource}/"

    def key(self, namespace: str, name: str) -> str:
        """The store's key of one object."""
        return f"/registry/{self.resource}/{namespace if self.namespaced else '-'}/{name}"

    def __repr__(self) -> str:
        return f"KindSpec({self.resource})"
