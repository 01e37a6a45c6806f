"""The garbage collector: deletes objects whose owners are gone, and does orphan and foreground deletion.

Owns the finalizers "orphan" and "foregroundDeletion". Background deletion needs no finalizer: the dependents are
checked when their owner goes. The graph of owners is in ownership.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from master import kinds
from master.api.errors import Conflict, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change
from master.clock import Clock
from master.component.follow import follow
from master.controllers.ownership import (
    FOREGROUND,
    ORPHAN,
    Graph,
    Item,
    judge,
    without_finalizer,
    without_owners,
)
from master.controllers.workqueue import WorkQueue
from master.registry.deletion import Propagation
from master.registry.resource import Resource

log = logging.getLogger(__name__)

# Events have neither owners nor dependents, and there are many of them.
WATCHED = tuple(kind for kind in kinds.ALL if kind is not kinds.EVENT)
WORKERS = 16


class GarbageCollector:
    """Follows owner references."""

    name = "garbage collector"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:generic-garbage-collector")
        self._queue: WorkQueue[Item] = WorkQueue(self.name, clock)
        self._graph = Graph()
        # Owners in foreground deletion, which wait for their dependents; by uid.
        self._waiting: dict[str, Item] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self._cache, WATCHED, begin=self._begin, change=self._change), name="follow")
            group.create_task(self._queue.run(self._sync, workers=WORKERS), name="work")

    def _begin(self, objects: list[tuple[Resource[Any], Any]]) -> None:
        self._graph = Graph()
        self._waiting.clear()
        for kind, obj in objects:
            self._seen(Item.of(kind, obj), obj)

    def _change(self, change: Change) -> None:
        obj = change.obj
        item = Item.of(change.kind, obj)
        before = change.previous
        if before is not None and before.metadata.uid != obj.metadata.uid:
            self._gone(Item.of(change.kind, before), before)
        if change.type == "DELETED":
            self._gone(item, obj)
        else:
            self._seen(item, obj)

    def _seen(self, item: Item, obj: Any) -> None:
        meta = obj.metadata
        self._graph.set(item, meta.owner_references)
        if meta.owner_references or (meta.deletion_timestamp and meta.finalizers):
            self._queue.add(item)

    def _gone(self, item: Item, obj: Any) -> None:
        self._graph.drop(item)
        self._waiting.pop(item.uid, None)
        for dependent in self._graph.dependents(item.uid):
            self._queue.add(dependent)
        for owner in obj.metadata.owner_references:
            if owner.uid in self._waiting:
                self._queue.add(self._waiting[owner.uid])

    async def _sync(self, item: Item) -> None:
        obj = self._current(item)
        if obj is None:
            return
        meta = obj.metadata
        if meta.deletion_timestamp and ORPHAN in meta.finalizers:
            await self._orphan(item)
        elif meta.deletion_timestamp and FOREGROUND in meta.finalizers:
            await self._foreground(item)
        elif not meta.deletion_timestamp and meta.owner_references:
            await self._judge(item, obj)

    def _current(self, item: Item) -> Any | None:
        obj = self._cache.get(item.kind, item.namespace, item.name)
        return obj if obj is not None and obj.metadata.uid == item.uid else None

    async def _judge(self, item: Item, obj: Any) -> None:
        """The cache applies commits in order: an owner that it does not show does not exist, or not any more."""
        verdict = judge(item.namespace, obj.metadata.owner_references, self._exists)
        if verdict.delete:
            log.info("%s: deleted, because its owner is gone", item)
            await self._delete(item)
        elif verdict.dangling:
            uids = [owner.uid for owner in verdict.dangling]
            await self._change_item(item, lambda current: without_owners(current, uids))

    def _exists(self, kind: Resource[Any], namespace: str, name: str, uid: str) -> bool:
        obj = self._cache.get(kind, namespace, name)
        return obj is not None and obj.metadata.uid == uid

    async def _orphan(self, item: Item) -> None:
        """Removes the owner from its dependents, which stay; then the owner may go."""
        for dependent in self._graph.dependents(item.uid):
            await self._change_item(dependent, lambda current: without_owners(current, [item.uid]))
        await self._change_item(item, lambda current: without_finalizer(current, ORPHAN))

    async def _foreground(self, item: Item) -> None:
        """Deletes the dependents first. Those marked `blockOwnerDeletion` keep the owner until they are gone."""
        self._waiting[item.uid] = item
        blocked = False
        for dependent in self._graph.dependents(item.uid):
            obj = self._current(dependent)
            if obj is None:
                continue
            if not obj.metadata.deletion_timestamp:
                deeper = bool(self._graph.dependents(dependent.uid))
                await self._delete(dependent, propagation="Foreground" if deeper else "Background")
            owners = obj.metadata.owner_references
            still_there = self._current(dependent) is not None
            blocked |= still_there and any(o.uid == item.uid and o.block_owner_deletion for o in owners)
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
