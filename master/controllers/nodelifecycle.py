"""The node life cycle: marks silent nodes Unknown, takes their pods out of services and evicts the pods later.

Owns the Unknown status, the node events and eviction. The agent reports Ready and NotReady, and dispatch writes them.
A node that returns says Hello and reports everything again, so nothing is undone here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from master import kinds
from master.api.errors import ApiError, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change, Snapshot, typed
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.component.follow import follow
from master.controllers import nodehealth
from master.controllers.heartbeats import Heartbeats
from master.controllers.nodehealth import Silence, ready_status
from master.kinds.core.node import Node
from master.kinds.core.pod.model import Pod
from master.objects.index import NODE
from master.store.errors import StoreError

__all__ = ["Heartbeats", "NodeLifecycle"]

log = logging.getLogger(__name__)

SOURCE = "node-controller"
# Concurrent writes to pods.
WRITES_AT_ONCE = 16


class NodeLifecycle:
    """Checks the heartbeats of all nodes."""

    name = "nodelifecycle"

    def __init__(
        self,
        resources: Resources,
        heartbeats: Heartbeats,
        clock: Clock,
        recorder: EventRecorder,
        *,
        grace_s: float,
        eviction_s: float,
    ) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._heartbeats = heartbeats
        self._clock = clock
        self._recorder = recorder
        self._caller = component("controller:node-controller")
        self._grace_s = grace_s
        self._eviction_s = eviction_s
        # Twenty checks in a grace period: every 2 s for Kubernetes' 40 s, every 0.25 s in the lab.
        self._period_s = min(max(grace_s / 20, 0.1), 5.0)
        self._nodes: dict[str, Silence] = {}
        self._writes = asyncio.Semaphore(WRITES_AT_ONCE)

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            # Every change: each turn of a node's Ready condition becomes an event.
            following = follow(self._cache, (kinds.NODE,), begin=self._begin, change=self._change, latest=False)
            group.create_task(following, name="follow")
            group.create_task(self._check_periodically(), name="check")

    # -- nodes that come, go and change -------------------------------------------------------------------------

    async def _begin(self, snapshot: Snapshot) -> None:
        now = self._clock.monotonic()
        names = {entry.name for entry in snapshot.entries()}
        self._nodes = {name: self._nodes.get(name) or Silence(known_since=now) for name in names}

    def _change(self, change: Change) -> None:
        node: Node = change.obj
        name = node.metadata.name
        if change.type == "DELETED":
            self._nodes.pop(name, None)
            self._record(name, "Normal", "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            return
        if change.type == "ADDED":
            self._nodes[name] = Silence(known_since=self._clock.monotonic())
            self._record(name, "Normal", "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        before, after = ready_status(change.previous), ready_status(node)
        if after == "True" and before != "True":
            self._record(name, "Normal", "NodeReady", f"Node {name} status is now: NodeReady")
        elif before == "True" and after != "True":
            self._record(name, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")

    # -- heartbeats ---------------------------------------------------------------------------------------------

    async def _check_periodically(self) -> None:
        while True:
            await self._clock.sleep(self._period_s)
            try:
                await self._check()
            except* (ApiError, StoreError) as errors:
                log.warning("%s: %s; will retry", self.name, "; ".join(map(str, _leaves(errors))))

    async def _check(self) -> None:
        now = self._clock.monotonic()
        for name, silence in self._nodes.items():
            nodehealth.step(silence, grace_start=self._grace_start(name, silence), grace_s=self._grace_s, now=now)
        silent = [name for name, silence in self._nodes.items() if silence.silent_since is not None]
        if not silent:
            return
        async with asyncio.TaskGroup() as group:
            for name in silent:
                group.create_task(
                    self._turn_unknown(name, nodehealth.ready_pods(self._pods(name))), name=f"{name} unknown"
                )
        evicted = nodehealth.to_evict(self._nodes, eviction_s=self._eviction_s, now=now)
        async with asyncio.TaskGroup() as group:
            for name in evicted + [name for name in silent if self._nodes[name].evicted]:
                group.create_task(self._evict(name, nodehealth.active_pods(self._pods(name))), name=f"{name} evicted")

    def _pods(self, node: str) -> list[Pod]:
        return typed(self._cache.by(kinds.POD, NODE, node))

    def _grace_start(self, name: str, silence: Silence) -> float:
        beats = self._heartbeats
        return nodehealth.grace_start(
            silence, last_seen=beats.last_seen(name), started_at=beats.started_at, stalled_at=beats.stalled_at
        )

    def _is_silent(self, name: str) -> bool:
        """Checked again inside each write: a node that has returned meanwhile must not be marked Unknown."""
        silence = self._nodes.get(name)
        return silence is not None and self._clock.monotonic() - self._grace_start(name, silence) >= self._grace_s

    async def _turn_unknown(self, name: str, pods: Sequence[Pod]) -> None:
        """Ends the session first, so that a late report of the node is not taken for a new one."""
        node = self._cache.get(kinds.NODE, "", name)
        if node is None:
            return
        if ready_status(node) != nodehealth.UNKNOWN:
            log.warning("node %s: no heartbeat for %g s: marked Unknown", name, self._grace_s)
            self._heartbeats.end_session(name, "no heartbeat within the grace period")

            def change(current: Node) -> Node | None:
                return nodehealth.unknown(current, self._clock.now()) if self._is_silent(name) else None

            try:
                await self._resources.mutate(self._caller, kinds.NODE, "", name, change, subresource="status")
            except NotFound:
                return
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(self._mark_not_ready(name, pod), name=f"pod {pod.metadata.name} not ready")

    async def _mark_not_ready(self, node: str, pod: Pod) -> None:
        meta = pod.metadata

        def change(current: Pod) -> Pod | None:
            if current.metadata.uid != meta.uid or not self._is_silent(node):
                return None
            return nodehealth.not_ready(current, self._clock.now())

        async with self._writes:
            try:
                await self._resources.mutate(
                    self._caller, kinds.POD, meta.namespace, meta.name, change, subresource="status"
                )
            except NotFound:
                return
        self._record_pod(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _evict(self, node: str, pods: Sequence[Pod]) -> None:
        """Deletes the node's pods. They stay Terminating until it returns or is deleted; controllers replace them."""
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(self._evict_pod(node, pod), name=f"pod {pod.metadata.name} evicted")
        silence = self._nodes.get(node)
        if silence is not None and silence.silent_since is not None:
            silence.evicted = True

    async def _evict_pod(self, node: str, pod: Pod) -> None:
        meta = pod.metadata
        async with self._writes:
            if not self._is_silent(node):
                return
            try:
                await self._resources.delete(self._caller, kinds.POD, meta.namespace, meta.name, uid=meta.uid)
            except NotFound:
                return
        log.warning("pod %s/%s: evicted, because node %s is Unknown", meta.namespace, meta.name, node)
        self._record_pod(
            pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {meta.namespace}/{meta.name}"
        )

    def _record(self, node: str, type_: str, reason: str, message: str) -> None:
        involved = Involved("Node", "", node)
        self._recorder.record(SOURCE, involved=involved, type=type_, reason=reason, message=message)

    def _record_pod(self, pod: Pod, type_: str, reason: str, message: str) -> None:
        involved = Involved.of(kinds.POD, pod)
        self._recorder.record(SOURCE, involved=involved, type=type_, reason=reason, message=message)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors of a group and of its nested groups."""
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
