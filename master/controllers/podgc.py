"""Deletes the pods of deleted nodes at once and without grace, because no agent is left to report their end."""

from __future__ import annotations

import asyncio
import logging

from master import kinds
from master.api.errors import NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change, Entry, Snapshot
from master.clock import Clock
from master.component.follow import follow
from master.controllers.workqueue import WorkQueue
from master.kinds.core.pod.model import Pod
from master.objects.index import NODE

log = logging.getLogger(__name__)

# A pod may name a node that is about to be created. Kubernetes waits as long.
QUARANTINE_S = 40.0

# Namespace, name and uid.
_Key = tuple[str, str, str]


class PodCollector:
    """Deletes pods whose node does not exist."""

    name = "podgc"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:pod-garbage-collector")
        self._queue: WorkQueue[_Key] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        watched = (kinds.NODE, kinds.POD)
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self._cache, watched, begin=self._begin, change=self._change), name="follow")
            group.create_task(self._queue.run(self._sync, workers=8), name="work")

    async def _begin(self, _: Snapshot) -> None:
        for node in self._cache.values(kinds.POD, NODE):
            if not self._exists(node):
                for entry in self._cache.by(kinds.POD, NODE, node):
                    self._queue.add_after(_key(entry), QUARANTINE_S)

    def _change(self, change: Change) -> None:
        if change.kind is kinds.POD:
            if change.type != "DELETED" and self._is_lost(change.obj):
                self._lost(change)
        elif change.type == "DELETED":
            for entry in self._cache.by(kinds.POD, NODE, change.entry.name):
                self._queue.add(_key(entry))

    def _lost(self, change: Change) -> None:
        before: Pod | None = change.previous
        if before is not None and not before.spec.node_name:
            # Bound while its node was being deleted: no node of that name is about to be created.
            self._queue.add(_key(change.entry))
        else:
            self._queue.add_after(_key(change.entry), QUARANTINE_S)

    def _is_lost(self, pod: Pod) -> bool:
        return bool(pod.spec.node_name) and not self._exists(pod.spec.node_name)

    def _exists(self, node: str) -> bool:
        return self._cache.entry(kinds.NODE, "", node) is not None

    async def _sync(self, key: _Key) -> None:
        namespace, name, uid = key
        pod = self._cache.get(kinds.POD, namespace, name)
        if pod is None or pod.metadata.uid != uid or not self._is_lost(pod):
            return
        log.info("pod %s/%s: deleted, because node %s is gone", namespace, name, pod.spec.node_name)
        try:
            await self._resources.delete(self._caller, kinds.POD, namespace, name, grace_period_s=0, uid=uid)
        except NotFound:
            return


def _key(entry: Entry) -> _Key:
    return entry.namespace, entry.name, entry.meta.uid
