"""The graph of owners and dependents, and what happens to an object whose owners are gone. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from master import kinds
from master.objects.meta import Object, OwnerReference
from master.registry.resource import Resource

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Item:
    """An object in the graph."""

    kind: Resource[Any]
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, kind: Resource[Any], obj: Object) -> Item:
        meta = obj.metadata
        return cls(kind, meta.namespace, meta.name, meta.uid)

    def __str__(self) -> str:
        return f"{self.kind.resource} {self.namespace}/{self.name}"


class Graph:
    """The dependents of each owner, by the owner's uid. Bounded by the number of owner references."""

    def __init__(self) -> None:
        self._dependents: dict[str, dict[Item, None]] = {}
        self._owners: dict[Item, tuple[str, ...]] = {}

    def set(self, item: Item, owners: Iterable[OwnerReference]) -> None:
        """Replaces the owners of the object."""
        uids = tuple(owner.uid for owner in owners)
        if self._owners.get(item, ()) == uids:
            return
        self.drop(item)
        for uid in uids:
            self._dependents.setdefault(uid, {})[item] = None
        if uids:
            self._owners[item] = uids

    def drop(self, item: Item) -> None:
        """Removes an object that is gone."""
        for uid in self._owners.pop(item, ()):
            dependents = self._dependents.get(uid, {})
            dependents.pop(item, None)
            if not dependents:
                self._dependents.pop(uid, None)

    def dependents(self, uid: str) -> list[Item]:
        """The objects that this one owns."""
        return list(self._dependents.get(uid, ()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an object: delete it, drop references to owners that are gone, or nothing."""

    delete: bool = False
    dangling: tuple[OwnerReference, ...] = ()


Exists = Callable[[Resource[Any], str, str, str], bool]


def kind_of(owner: OwnerReference, known: Iterable[Resource[Any]] = kinds.ALL) -> Resource[Any] | None:
    """The kind that a reference names; None when the API does not serve it."""
    group = owner.api_version.rpartition("/")[0]
    return next((kind for kind in known if kind.kind == owner.kind and kind.group == group), None)


def judge(namespace: str, owners: Iterable[OwnerReference], exists: Exists) -> Verdict:
    """An object is deleted when all its owners are gone: absent, or replaced by an object with another uid.

    `exists(kind, namespace, name, uid)`. An owner of a kind that the API does not serve counts as present, because
    nothing may be deleted on a guess. While one owner is left, only the references to the others are dropped.
    """
    present: list[OwnerReference] = []
    gone: list[OwnerReference] = []
    for owner in owners:
        kind = kind_of(owner)
        owner_namespace = namespace if kind is not None and kind.namespaced else ""
        exists_now = kind is None or exists(kind, owner_namespace, owner.name, owner.uid)
        (present if exists_now else gone).append(owner)
    if present or not gone:
        return Verdict(dangling=tuple(gone))
    return Verdict(delete=True)


def without_owners(obj: Any, uids: Iterable[str]) -> Any | None:
    """The object without references to these owners; None when it has none."""
    gone = frozenset(uids)
    kept = tuple(owner for owner in obj.metadata.owner_references if owner.uid not in gone)
    if kept == obj.metadata.owner_references:
        return None
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, owner_references=kept))


def without_finalizer(obj: Any, finalizer: str) -> Any | None:
    """The object without the finalizer; None when it does not have it."""
    kept = tuple(name for name in obj.metadata.finalizers if name != finalizer)
    if kept == obj.metadata.finalizers:
        return None
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, finalizers=kept))
