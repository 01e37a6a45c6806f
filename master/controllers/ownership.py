"""What happens to an object whose owners are gone. No I/O: the cache's index has the dependents of each owner."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
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
    """What to do with an object: delete it, drop references to owners that are gone, or nothing."""

    delete: bool = False
    dangling: tuple[OwnerReference, ...] = ()


Exists = Callable[[Resource[Any], str, str, str], bool]


def kind_of(owner: OwnerReference, known: Iterable[Resource[Any]]) -> Resource[Any] | None:
    """The kind that a reference names; None when the API does not serve it."""
    group = owner.api_version.rpartition("/")[0]
    return next((kind for kind in known if kind.kind == owner.kind and kind.group == group), None)


def judge(
    namespace: str, owners: Iterable[OwnerReference], exists: Exists, known: Collection[Resource[Any]]
) -> Verdict:
    """An object is deleted when all its owners are gone: absent, or replaced by an object with another uid.

    `exists(kind, namespace, name, uid)`. Two owners count as present, because nothing may be deleted on a guess: one of
    a kind that is not `known`, and a namespaced one of a cluster-scoped object, because its namespace is unknown. While
    one owner is left, only the references to the others are dropped.
    """
    present: list[OwnerReference] = []
    gone: list[OwnerReference] = []
    for owner in owners:
        kind = kind_of(owner, known)
        if kind is None or (kind.namespaced and not namespace):
            present.append(owner)
            continue
        exists_now = exists(kind, namespace if kind.namespaced else "", owner.name, owner.uid)
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
