"""Who owns whom, and what follows for an object whose owners go: the graph and the decisions, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from master.api import kinds
from master.objects.kind import KindSpec
from master.objects.meta import Object, OwnerReference

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Item:
    """One object of the graph."""

    kind: KindSpec[Any]
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, kind: KindSpec[Any], obj: Object) -> Item:
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
        """What owns the object now."""
        uids = tuple(owner.uid for owner in owners)
        if self._owners.get(item, ()) == uids:
            return
        self.drop(item)
        for uid in uids:
            self._dependents.setdefault(uid, {})[item] = None
        if uids:
            self._owners[item] = uids

    def drop(self, item: Item) -> None:
        """The object is gone."""
        for uid in self._owners.pop(item, ()):
            dependents = self._dependents.get(uid, {})
            dependents.pop(item, None)
            if not dependents:
                self._dependents.pop(uid, None)

    def dependents(self, uid: str) -> list[Item]:
        """Who is owned by that object."""
        return list(self._dependents.get(uid, ()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an object: it goes, it loses references to owners that are gone, or it stays."""

    delete: bool = False
    dangling: tuple[OwnerReference, ...] = ()


Exists = Callable[[KindSpec[Any], str, str, str], bool]


def kind_of(owner: OwnerReference, known: Iterable[KindSpec[Any]] = kinds.ALL) -> KindSpec[Any] | None:
    """The kind that a reference names; None when it is none of ours."""
    group = owner.api_version.rpartition("/")[0]
    return next((kind for kind in known if kind.kind == owner.kind and kind.group == group), None)


def judge(namespace: str, owners: Iterable[OwnerReference], exists: Exists) -> Verdict:
    """An object goes when all its owners are gone: absent, or another object (uid) of the same name by now.

    `exists(kind, namespace, name, uid)`. An owner of a kind that is not served here counts as there: nothing is
    deleted on a guess. With one owner left the object stays, and the references to the others are dropped.
    """
    there: list[OwnerReference] = []
    gone: list[OwnerReference] = []
    for owner in owners:
        kind = kind_of(owner)
        place = namespace if kind is not None and kind.namespaced else ""
        alive = kind is None or exists(kind, place, owner.name, owner.uid)
        (there if alive else gone).append(owner)
    if there or not gone:
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
    """The object without the finalizer; None when it has not got it."""
    kept = tuple(name for name in obj.metadata.finalizers if name != finalizer)
    if kept == obj.metadata.finalizers:
        return None
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, finalizers=kept))
