"""What happens to an object whose owners are gone. No I/O: the cache's index has the dependents of each owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from master.cache import Entry
from master.objects.meta import OwnerReference
from master.registry.resource import Resource

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Item:
    """An object that owns others or is owned."""

    kind: Resource[Any]
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, entry: Entry) -> Item:
        return cls(entry.kind, entry.namespace, entry.name, entry.meta.uid)

    def __str__(self) -> str:
        return f"{self.kind.resource} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an object: delete it, drop references to owners that are gone (`dangling`), or nothing.

    `misplaced`: the references that no owner can fulfil, because its kind is namespaced and the object is not.
    """

    delete: bool = False
    dangling: tuple[OwnerReference, ...] = ()
    misplaced: tuple[OwnerReference, ...] = ()


# Arguments: kind, namespace, name, uid.
Exists = Callable[[Resource[Any], str, str, str], bool]
# The kind of an apiVersion and kind; None when the API does not serve it.
KindOf = Callable[[str, str], Resource[Any] | None]


def judge(item: Item, owners: Iterable[OwnerReference], exists: Exists, kind_of: KindOf) -> Verdict:
    """An object is deleted when all its owners are gone: absent, or replaced by an object with another uid.

    A namespaced owner is looked up in the namespace of the object, so an owner in another one counts as gone. Nothing
    may be deleted on a guess, so an owner of an unknown kind counts as present, and an object without a namespace that
    names a namespaced owner is left alone. While one owner is left, only the references to the others are dropped.
    All of this is as in Kubernetes.
    """
    present: list[OwnerReference] = []
    gone: list[OwnerReference] = []
    misplaced: list[OwnerReference] = []
    for owner in owners:
        kind = kind_of(owner.api_version, owner.kind)
        if kind is not None and kind.namespaced and not item.kind.namespaced:
            misplaced.append(owner)
        elif kind is None or exists(kind, item.namespace if kind.namespaced else "", owner.name, owner.uid):
            present.append(owner)
        else:
            gone.append(owner)
    if misplaced:
        return Verdict(misplaced=tuple(misplaced))
    return Verdict(delete=bool(gone) and not present, dangling=tuple(gone))


def may_own(owner: Item, dependent: Item) -> bool:
    """Whether the reference is valid: a namespaced owner owns objects in its own namespace only."""
    return not owner.kind.namespaced or (dependent.kind.namespaced and owner.namespace == dependent.namespace)


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
