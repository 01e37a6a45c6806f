"""The scheduler's loop: follows nodes, pods, services and controllers, decides pod by pod, binds concurrently.

The decision is in decide.py, the state of the cluster in snapshot.py, the order of pods in queue.py. A decision changes
the snapshot at once and is bound in a task of its own, so that decisions never wait for the store. Pods that name a
node or another scheduler are left alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from msgspec.structs import replace

from master import kinds
from master.api.errors import ApiError, Conflict, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change
from master.cache import Snapshot as Objects
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.component.follow import follow, paced
from master.component.podstate import is_finished
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.writes import bind
from master.registry.resource import Resource
from master.scheduler.conditions import unschedulable
from master.scheduler.decide import Chosen, Decider, refusal
from master.scheduler.model import NodeFacts, PodInfo
from master.scheduler.queue import SchedulingQueue, Waiting
from master.scheduler.snapshot import Snapshot
from master.scheduler.storage import WATCHED, CachedStorage

log = logging.getLogger(__name__)

NAME = "default-scheduler"
CALLER = component("scheduler")
# Concurrent bindings: enough to share the store's commits, few enough not to starve other writers.
BINDINGS_AT_ONCE = 64
# Decisions in a row before other tasks get the event loop.
DECISIONS_IN_A_ROW = 20
# Period of checking for pods whose back-off is over.
TICK_S = 0.5


class Scheduler:
    """Binds pods that have no node."""

    name = "scheduler"

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder, decider: Decider | None = None):
        self._resources = resources
        self._clock = clock
        self._recorder = recorder
        self._decider = decider or Decider()
        self._snapshot = Snapshot()
        self._queue = SchedulingQueue(clock)
        self._storage = CachedStorage(resources.cache)
        # Set when the snapshot has all objects.
        self._complete = asyncio.Event()
        self._slots = asyncio.Semaphore(BINDINGS_AT_ONCE)
        # Bindings in progress, by the pod's uid: they are assumed again after a new snapshot.
        self._binding: dict[str, tuple[PodInfo, str]] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="scheduler: follow")
            group.create_task(self._tick(), name="scheduler: back-off")
            group.create_task(self._decide_all(group), name="scheduler: decide")

    # -- what changed -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        watched = (kinds.NODE, kinds.POD, kinds.SERVICE, kinds.REPLICATIONCONTROLLER, kinds.REPLICASET, *WATCHED)
        await follow(self._resources.cache, watched, begin=self._begin, change=self._change)

    async def _begin(self, objects: Objects) -> None:
        """Builds everything from a new snapshot; bindings in progress stay assumed. No pod is decided for meanwhile."""
        self._complete.clear()
        self._snapshot = Snapshot()
        self._queue.clear()
        for info, node in self._binding.values():
            self._snapshot.assume(info, node)
        async for kind, obj in paced(objects):
            self._set(kind, obj)
            if kind is kinds.POD and self._is_waiting(obj):
                self._queue.add(obj)
        self._complete.set()

    def _change(self, change: Change) -> None:
        kind, obj = change.kind, change.obj
        if kind is kinds.POD:
            self._pod_changed(change, obj)
        elif kind in WATCHED:
            # Rare, and people wait for it, as for nodes.
            self._queue.node_changed()
        elif change.type == "DELETED":
            self._drop(kind, obj)
        else:
            before, now = self._facts_before(kind, obj), self._set(kind, obj)
            if now is not None and now != before:
                self._queue.node_changed()

    def _facts_before(self, kind: Resource[Any], obj: Any) -> NodeFacts | None:
        node = self._snapshot.node(obj.metadata.name) if kind is kinds.NODE else None
        return node.facts if node else None

    def _set(self, kind: Resource[Any], obj: Any) -> NodeFacts | None:
        """Puts an object into the snapshot. Returns a node's facts, for comparison with the earlier ones."""
        if kind in WATCHED:
            return None
        if kind is kinds.NODE:
            facts = NodeFacts.of(obj)
            self._snapshot.set_node(facts)
            return facts
        if kind is kinds.POD:
            if obj.spec.node_name and not is_finished(obj):
                self._snapshot.set_pod(PodInfo.of(obj))
        else:
            meta = obj.metadata
            # Old replica sets have no pods, and there are many.
            retired = kind is kinds.REPLICASET and obj.spec.replicas == 0
            selector = None if retired else obj.spec.selector
            self._snapshot.set_selector(kind.kind, meta.namespace, meta.name, selector)
        return None

    def _drop(self, kind: Resource[Any], obj: Any) -> None:
        if kind is kinds.NODE:
            self._snapshot.drop_node(obj.metadata.name)
        else:
            self._snapshot.set_selector(kind.kind, obj.metadata.namespace, obj.metadata.name, None)

    def _pod_changed(self, change: Change, pod: Pod) -> None:
        uid = pod.metadata.uid
        if change.type == "DELETED" or is_finished(pod):
            self._queue.drop(uid)
            if self._snapshot.drop_pod(uid):
                self._queue.room_freed()
        elif pod.spec.node_name:
            self._queue.drop(uid)
            self._snapshot.set_pod(PodInfo.of(pod))
        elif not self._is_waiting(pod):
            self._queue.drop(uid)
        elif change.type == "ADDED" or _matters(change.previous, pod):
            self._queue.add(pod)

    def _is_waiting(self, pod: Pod) -> bool:
        """Whether the pod is ours to bind: no node, neither deleted nor finished, our scheduler, not being bound."""
        return (
            not pod.spec.node_name
            and not pod.metadata.deletion_timestamp
            and not is_finished(pod)
            and not pod.spec.scheduling_gates
            and pod.spec.scheduler_name in ("", NAME)
            and pod.metadata.uid not in self._binding
        )

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            if self._queue.parked:
                self._queue.promote()

    # -- decisions ----------------------------------------------------------------------------------------------

    async def _decide_all(self, group: asyncio.TaskGroup) -> None:
        decided = 0
        while True:
            await self._complete.wait()
            pod = await self._queue.pop()
            await self._slots.acquire()
            decided += 1
            if decided % DECISIONS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            work = self._decide(pod)
            if work is None:
                self._slots.release()
                continue
            task = group.create_task(work, name=f"scheduler: {pod.namespace}/{pod.name}")
            task.add_done_callback(lambda _: self._slots.release())

    def _decide(self, pod: Waiting) -> Coroutine[Any, Any, None] | None:
        """Decides for a pod. Returns a coroutine that writes the decision; None when the pod needs no decision."""
        current = self._resources.cache.get(kinds.POD, pod.namespace, pod.name)
        if current is None or current.metadata.uid != pod.uid or not self._is_waiting(current):
            return None
        problem, volume_nodes = self._storage.of(current)
        if problem:
            self._queue.park(current)
            return self._report_unschedulable(current, refusal(len(self._snapshot.nodes()), (problem,)))
        info = PodInfo.of(current)
        if volume_nodes:
            info = replace(info, volume_nodes=volume_nodes)
        decision = self._decider.decide(info, self._snapshot)
        if isinstance(decision, Chosen):
            self._binding[info.uid] = (info, decision.node)
            self._snapshot.assume(info, decision.node)
            return self._bind(current, info, decision.node)
        self._queue.park(current)
        return self._report_unschedulable(current, decision.message)

    async def _bind(self, pod: Pod, info: PodInfo, node: str) -> None:
        try:
            await bind(self._resources, CALLER, info.namespace, info.name, node, uid=info.uid)
        except (NotFound, Conflict) as error:
            # The pod is gone or already bound; or the node is gone, and then the pod is retried.
            self._undo(pod, info)
            log.info("pod %s/%s: binding to %s: %s", info.namespace, info.name, node, error)
        except ApiError as error:
            self._undo(pod, info)
            log.warning("pod %s/%s: binding to %s failed: %s", info.namespace, info.name, node, error)
            self._record(pod, "Warning", "FailedScheduling", f"binding rejected: {error}")
        else:
            self._binding.pop(info.uid, None)
            self._record(pod, "Normal", "Scheduled", f"Successfully assigned {info.namespace}/{info.name} to {node}")

    def _undo(self, pod: Pod, info: PodInfo) -> None:
        self._binding.pop(info.uid, None)
        self._snapshot.forget(info.uid)
        current = self._resources.cache.get(kinds.POD, info.namespace, info.name)
        if current is not None and current.metadata.uid == info.uid and self._is_waiting(current):
            self._queue.park(current, retry_alone=True)

    async def _report_unschedulable(self, pod: Pod, message: str) -> None:
        meta = pod.metadata
        self._record(pod, "Warning", "FailedScheduling", message)
        change = partial(unschedulable, uid=meta.uid, message=message, now=self._clock.now())
        try:
            await self._resources.mutate(CALLER, kinds.POD, meta.namespace, meta.name, change, subresource="status")
        except NotFound:
            return
        except ApiError as error:
            log.warning("pod %s/%s: condition PodScheduled not written: %s", meta.namespace, meta.name, error)

    def _record(self, pod: Pod, type_: str, reason: str, message: str) -> None:
        self._recorder.record(NAME, involved=Involved.of(kinds.POD, pod), type=type_, reason=reason, message=message)


def _matters(before: Pod | None, now: Pod) -> bool:
    """Whether this change of a parked pod may let it fit: its spec or labels changed, not only its status."""
    return before is None or before.spec != now.spec or before.metadata.labels != now.metadata.labels
