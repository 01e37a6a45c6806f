"""The declaration of a kind: its names, its model, its subresources and the fields that a field selector may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec

from master.objects.index import OWNER, Index
from master.objects.meta import Object
from master.objects.salvage import salvage

T = TypeVar("T", bound=Object)

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Generic[T]):
    """One kind as the API serves it. Compared by identity, because there is one Resource for each kind."""

    kind: str
    plural: str
    model: type[T]
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    # Fields for field selectors, besides metadata.name and metadata.namespace: the path, and a function that reads it.
    fields: Mapping[str, Callable[[T], str]] = field(default_factory=dict)
    # Whether a change of spec increments metadata.generation. Kinds without a spec, such as ConfigMap, have none.
    has_generation: bool = False
    # Whether the cache keeps all objects of the kind decoded. Only for kinds with few objects that are read often.
    hot: bool = False
    # What the cache can be asked by, besides namespace and name.
    indexes: tuple[Index, ...] = (OWNER,)

    @property
    def api_version(self) -> str:
        """`v1`, or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """The plural with its group, as keys and messages show it: `pods`, `endpointslices.discovery.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """The prefix of the store's keys of all objects of the kind."""
        return f"/registry/{self.resource}/"

    def key(self, namespace: str, name: str) -> str:
        """The store's key of one object. Cluster-scoped kinds have `-` as namespace."""
        return f"/registry/{self.resource}/{namespace if self.namespaced else '-'}/{name}"

    def decode(self, raw: bytes) -> T:
        """The stored object. Raises ValueError when the model refuses it."""
        return cast(T, _decoder(self.model).decode(raw))

    def salvage(self, raw: bytes) -> T:
        """A stored object that the model refuses, as far as it can be read. Raises ValueError."""
        return salvage(self.model, raw)

    def __repr__(self) -> str:
        return f"Resource({self.resource})"


@cache
def _decoder(model: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(model)
