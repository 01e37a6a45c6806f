"""The garbage collector: deletes objects whose owners are gone, and does orphan and foreground deletion.

Owns the finalizers "orphan" and "foregroundDeletion". Background deletion needs no finalizer: the dependents are
checked when their owner goes. The cache's index has them. What is decided about an object is in ownership.py.
References to an owner in another namespace are not valid; an event says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from master import kinds
from master.api.errors import Conflict, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change, Snapshot
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.component.follow import follow, paced
from master.controllers.ownership import (
    FOREGROUND,
    ORPHAN,
    Item,
    judge,
    may_own,
    without_finalizer,
    without_owners,
)
from master.controllers.workqueue import WorkQueue
from master.objects.index import OWNER
from master.objects.meta import ObjectMeta, OwnerReference
from master.registry.deletion import Propagation
from master.registry.resource import Resource
from master.schema.partial import Meta

log = logging.getLogger(__name__)

WORKERS = 16
# Objects whose deletion was seen last, so that they are not searched for in other namespaces.
REMEMBERED = 4096


class GarbageCollector:
    """Follows owner references."""

    name = "garbage collector"

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._recorder = recorder
        self._caller = component("controller:generic-garbage-collector")
        self._queue: WorkQueue[Item] = WorkQueue(self.name, clock)
        # Owners in foreground deletion, which wait for their dependents; by uid.
        self._waiting: dict[str, Item] = {}
        # The uids of deleted objects, oldest first.
        self._deleted: dict[str, None] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(
                follow(self._cache, (), begin=self._begin, change=self._change, all_kinds=True), name="follow"
            )
            group.create_task(self._queue.run(self._sync, workers=WORKERS), name="work")

    async def _begin(self, snapshot: Snapshot) -> None:
        self._waiting.clear()
        async for entry in paced(snapshot.entries()):
            if _concerns(entry.meta):
                self._queue.add(Item.of(entry))

    def _change(self, change: Change) -> None:
        before = None if change.before is None else change.before.meta
        if change.type == "DELETED":
            self._gone(Item.of(change.entry), change.entry.meta)
            return
        meta = change.entry.meta
        if before is not None and before.owner_references != meta.owner_references:
            # An owner need not wait any more for an object that it no longer owns.
            self._owners_wait_less(before)
        if _concerns(meta) and (before is None or _aspects(before) != _aspects(meta)):
            self._queue.add(Item.of(change.entry))

    def _gone(self, item: Item, meta: Meta | ObjectMeta) -> None:
        self._waiting.pop(item.uid, None)
        self._deleted[item.uid] = None
        if len(self._deleted) > REMEMBERED:
            del self._deleted[next(iter(self._deleted))]
        for entry in self._cache.by_all(OWNER, item.uid):
            self._queue.add(Item.of(entry))
        self._owners_wait_less(meta)

    def _owners_wait_less(self, meta: Meta | ObjectMeta) -> None:
        for owner in meta.owner_references:
            if owner.uid in self._waiting:
                self._queue.add(self._waiting[owner.uid])

    def _dependents(self, owner: Item) -> list[Item]:
        """The objects with a valid reference to the owner."""
        items = [Item.of(entry) for entry in self._cache.by_all(OWNER, owner.uid)]
        return [item for item in items if may_own(owner, item)]

    async def _sync(self, item: Item) -> None:
        meta = self._current(item)
        if meta is None:
            return
        if meta.deletion_timestamp and ORPHAN in meta.finalizers:
            await self._orphan(item)
        elif meta.deletion_timestamp and FOREGROUND in meta.finalizers:
            await self._foreground(item)
        elif not meta.deletion_timestamp and meta.owner_references:
            await self._judge(item, meta.owner_references)

    def _current(self, item: Item) -> Meta | ObjectMeta | None:
        """The metadata of the object; None when it is gone or was replaced, or its kind is not served any more."""
        if item.kind not in self._cache:
            return None
        entry = self._cache.entry(item.kind, item.namespace, item.name)
        meta = None if entry is None else entry.meta
        return meta if meta is not None and meta.uid == item.uid else None

    async def _judge(self, item: Item, owners: Sequence[OwnerReference]) -> None:
        """The cache applies commits in order: an owner that it does not show does not exist, or not any more."""
        verdict = judge(item, owners, self._exists, self._resources.registry.of_kind)
        for owner in (*verdict.misplaced, *(owner for owner in verdict.dangling if self._elsewhere(owner))):
            self._report(item, owner)
        if verdict.delete:
            log.info("%s: deleted, because its owner is gone", item)
            await self._delete(item)
        elif verdict.dangling:
            uids = [owner.uid for owner in verdict.dangling]
            await self._change_item(item, lambda current: without_owners(current, uids))

    def _exists(self, kind: Resource[Any], namespace: str, name: str, uid: str) -> bool:
        entry = self._cache.entry(kind, namespace, name)
        return entry is not None and entry.meta.uid == uid

    def _elsewhere(self, owner: OwnerReference) -> bool:
        """Whether an owner that was not found exists in another namespace."""
        kind = self._resources.registry.of_kind(owner.api_version, owner.kind)
        if kind is None or not kind.namespaced or owner.uid in self._deleted:
            return False
        namespaces = self._cache.entries(kinds.NAMESPACE)
        return any(self._exists(kind, namespace.name, owner.name, owner.uid) for namespace in namespaces)

    def _report(self, item: Item, owner: OwnerReference) -> None:
        """An event about a reference that is not valid, in Kubernetes' words."""
        identity = (
            f"{owner.api_version}/{owner.kind}, namespace: {item.namespace}, name: {owner.name}, uid: {owner.uid}"
        )
        self._recorder.record(
            "garbage-collector-controller",
            involved=Involved(item.kind.kind, item.namespace, item.name, item.uid, api_version=item.kind.api_version),
            type="Warning",
            reason="OwnerRefInvalidNamespace",
            message=f'ownerRef [{identity}] does not exist in namespace "{item.namespace}"',
        )

    async def _orphan(self, item: Item) -> None:
        """Removes the owner from its dependents, which stay; then the owner may go."""
        for dependent in self._dependents(item):
            await self._change_item(dependent, lambda current: without_owners(current, [item.uid]))
        await self._change_item(item, lambda current: without_finalizer(current, ORPHAN))

    async def _foreground(self, item: Item) -> None:
        """Deletes the dependents first. Those marked `blockOwnerDeletion` keep the owner until they are gone."""
        self._waiting[item.uid] = item
        blocked = False
        for dependent in self._dependents(item):
            meta = self._current(dependent)
            if meta is None:
                continue
            if not meta.deletion_timestamp:
                deeper = bool(self._dependents(dependent))
                await self._delete(dependent, propagation="Foreground" if deeper else "Background")
            still_there = self._current(dependent) is not None
            blocked |= still_there and any(o.uid == item.uid and o.block_owner_deletion for o in meta.owner_references)
        if not blocked:
            await self._change_item(item, lambda current: without_finalizer(current, FOREGROUND))
            self._waiting.pop(item.uid, None)

    async def _delete(self, item: Item, *, propagation: Propagation = "Background") -> None:
        try:
            await self._resources.delete(
                self._caller, item.kind, item.namespace, item.name, uid=item.uid, propagation=propagation
            )
        except (NotFound, Conflict):
            # Gone, or replaced by another object, whose own change puts it into the queue.
            return

    async def _change_item(self, item: Item, change: Callable[[Any], Any | None]) -> None:
        def same(current: Any) -> Any | None:
            return change(current) if current.metadata.uid == item.uid else None

        try:
            await self._resources.mutate(self._caller, item.kind, item.namespace, item.name, same)
        except NotFound:
            return


def _concerns(meta: Meta | ObjectMeta) -> bool:
    """Whether the object has owners, or is being deleted and has finalizers, which may be ours."""
    return bool(meta.owner_references or (meta.deletion_timestamp and meta.finalizers))


def _aspects(meta: Meta | ObjectMeta) -> tuple[object, ...]:
    """What of an object decides about it. Other changes, such as those of its status, concern nothing here."""
    return meta.uid, meta.owner_references, meta.deletion_timestamp, meta.finalizers
