"""Which objects a workload owns: it adopts those that its selector matches, and releases those that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from master.api.errors import NotFound
from master.api.identity import Caller
from master.api.resources import Resources
from master.component.podstate import controller_of, selects
from master.controllers.workload.workload import Workload
from master.objects.meta import OwnerReference
from master.registry.resource import Resource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claims(Generic[T]):
    """The objects that concern a workload."""

    # Owned by the workload and matched by its selector.
    owned: tuple[T, ...]
    # Matched and without a controller: to be adopted.
    orphans: tuple[T, ...]
    # Owned and not matched any more: to be released.
    strays: tuple[T, ...]


def claims(workload: Workload, objects: Iterable[T]) -> Claims[T]:
    """Sorts objects of the workload's namespace into owned ones, orphans and strays. Others are left out."""
    owned: list[T] = []
    orphans: list[T] = []
    strays: list[T] = []
    for obj in objects:
        meta: Any = getattr(obj, "metadata")  # noqa: B009 - pods, parts of pods and replica sets
        owner = controller_of(meta)
        matched = selects(workload.selector, meta.labels)
        if owner is not None and owner.uid == workload.metadata.uid:
            (owned if matched else strays).append(obj)
        elif owner is None and matched and not meta.deletion_timestamp:
            orphans.append(obj)
    return Claims(tuple(owned), tuple(orphans), tuple(strays))


def owner_reference(workload: Workload) -> OwnerReference:
    """The reference from an object to the workload that controls it."""
    return OwnerReference(
        api_version=workload.kind.api_version,
        kind=workload.kind.kind,
        name=workload.metadata.name,
        uid=workload.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def adopted(obj: Any, workload: Workload) -> Any | None:
    """The object with the workload as its controller; None when it can no longer be adopted."""
    meta = obj.metadata
    if controller_of(meta) is not None or meta.deletion_timestamp or not selects(workload.selector, meta.labels):
        return None
    owners = (*meta.owner_references, owner_reference(workload))
    return replace(obj, metadata=replace(meta, owner_references=owners))


def released(obj: Any, workload: Workload) -> Any | None:
    """The object without the workload among its owners; None when it is not owned by it."""
    owners = tuple(owner for owner in obj.metadata.owner_references if owner.uid != workload.metadata.uid)
    if owners == obj.metadata.owner_references:
        return None
    return replace(obj, metadata=replace(obj.metadata, owner_references=owners))


class Claimer:
    """Writes what follows from claims."""

    def __init__(self, resources: Resources, caller: Caller, kind: Resource[Any]) -> None:
        """`kind`: of the objects that workloads own."""
        self._resources = resources
        self._caller = caller
        self._kind = kind

    async def claim(self, workload: Workload, found: Claims[Any]) -> list[Any]:
        """Releases strays and adopts orphans; returns the adopted objects."""
        for obj in found.strays:
            await self._change(obj, partial(released, workload=workload))
        changed = [await self._change(obj, partial(adopted, workload=workload)) for obj in found.orphans]
        return [obj for obj in changed if obj is not None]

    async def _change(self, obj: Any, change: Callable[[Any], Any | None]) -> Any | None:
        meta = obj.metadata

        def same(current: Any) -> Any | None:
            return change(current) if current.metadata.uid == meta.uid else None

        try:
            return await self._resources.mutate(self._caller, self._kind, meta.namespace, meta.name, same)
        except NotFound:
            return None
