"""Keeps the number of active pods that each object of a kind asks for: the base of two controllers.

Owns creating and deleting these pods, adopting and releasing them, the status and the events. The garbage collector
deletes the pods of a deleted owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from master import kinds
from master.api.errors import ApiError, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.component.moments import Moments
from master.component.podstate import (
    AnyPod,
    PodState,
    controller_of,
    is_active,
    is_terminating,
    state_of,
)
from master.component.selection import selected, selecting
from master.controllers.keyed import ObjectKey
from master.controllers.podkeyed import run_with_pods
from master.controllers.workload.claims import Claimer, claims
from master.controllers.workload.counts import Counts, Failure, conditions
from master.controllers.workload.expectations import Expectations
from master.controllers.workload.namespaces import is_going
from master.controllers.workload.order import surplus
from master.controllers.workload.pods import available_in, batches, new_pod, pause_s
from master.controllers.workload.workload import Workload
from master.controllers.workqueue import WorkQueue
from master.kinds.core.pod.model import Pod
from master.objects.index import OWNER
from master.registry.resource import Resource

log = logging.getLogger(__name__)

# Most pods created or deleted in one pass for one owner; the next pass continues.
BURST = 500
# A created pod that is deleted at once may change nothing that is followed: the pods are then counted again.
RECHECK_S = 5.0


@dataclass(frozen=True, slots=True)
class _Pods:
    """The pods of a workload: the active ones, the number of those that are being deleted, and all that it owns."""

    active: list[AnyPod]
    terminating: int
    owned: tuple[PodState, ...]


class ReplicaManager:
    """Keeps the pods of all objects of a kind up to date. The kind has the spec of a `Workload`, and such a status."""

    def __init__(
        self, kind: Resource[Any], name: str, resources: Resources, clock: Clock, recorder: EventRecorder
    ) -> None:
        """`name` is that of the controller: it reports events as `<name>-controller`."""
        self.name = name
        self._kind = kind
        self._resources = resources
        self._cache = resources.cache
        self._clock = clock
        self._moments = Moments(clock)
        self._recorder = recorder
        self._source = f"{name}-controller"
        self._caller = component(f"controller:{self._source}")
        self._claimer = Claimer(resources, self._caller, kinds.POD)
        self._queue: WorkQueue[ObjectKey] = WorkQueue(name, clock)
        self._expectations: Expectations[ObjectKey] = Expectations(resources.cache)

    async def run(self) -> None:
        """Runs until cancelled."""
        own = (self._kind,)
        await run_with_pods(self._cache, self._queue, own, keys=self._keys, sync=self._reconcile)

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        """The object itself, a pod's owner, or the objects that may adopt the pod."""
        kind, namespace = self._kind, entry.namespace
        if entry.kind is kind:
            return [entry.key]
        meta = entry.meta
        owner = controller_of(meta)
        if owner is not None:
            return [(namespace, owner.name)] if owner.kind == kind.kind else []
        return [(namespace, name) for name in selecting(self._cache, kind, namespace, meta.labels)]

    async def _reconcile(self, key: ObjectKey) -> None:
        obj = self._cache.get(self._kind, *key)
        if obj is None:
            self._expectations.forget(key)
            return
        if not self._expectations.met(key):
            self._queue.add_after(key, RECHECK_S)
            return
        workload = Workload.of(self._kind, obj)
        going = bool(workload.metadata.deletion_timestamp)
        pods = await self._claimed(workload, adopt=not going)
        failure = None if going else await self._scale(workload, pods)
        await self._report(obj, workload, pods, failure)
        if failure is not None:
            raise failure.error

    async def _claimed(self, workload: Workload, *, adopt: bool) -> _Pods:
        """The pods of the workload, after adopting orphans and releasing strays."""
        namespace, uid = workload.metadata.namespace, workload.metadata.uid
        owned = self._cache.by(kinds.POD, OWNER, uid, namespace)
        matched = selected(self._cache, kinds.POD, namespace, workload.selector)
        found = [state_of(entry) for entry in {entry.name: entry for entry in (*owned, *matched)}.values()]
        active = claims(workload, filter(is_active, found))
        pods: list[AnyPod] = list(active.owned)
        if adopt:
            pods += await self._claimer.claim(workload, active)
        terminating = claims(workload, filter(is_terminating, found)).owned
        # The owned pods come first.
        return _Pods(pods, len(terminating), tuple(found[: len(owned)]))

    async def _scale(self, workload: Workload, pods: _Pods) -> Failure | None:
        """Creates or deletes pods; returns the first failure."""
        missing = min(workload.replicas - len(pods.active), BURST)
        if missing < 0:
            related = self._related(workload, pods.active)
            return await self._delete(
                workload, surplus(pods.active, min(-missing, BURST), related=related, now=self._clock.now())
            )
        if missing > 0 and not is_going(self._cache, workload.metadata.namespace):
            pause = pause_s(pods.owned, self._moments.age_s)
            if pause > 0:
                self._queue.add_after(workload.key, pause)
            else:
                self._queue.add_after(workload.key, RECHECK_S)
                return await self._create(workload, missing)
        return None

    def _related(self, workload: Workload, pods: Sequence[AnyPod]) -> Iterable[AnyPod]:
        """The active pods of all objects of the kind with the same owner, such as one deployment: they are alike."""
        owner = controller_of(workload.metadata)
        if owner is None:
            return pods
        namespace = workload.metadata.namespace
        siblings = self._cache.by(self._kind, OWNER, owner.uid, namespace)
        entries = (pod for one in siblings for pod in self._cache.by(kinds.POD, OWNER, one.meta.uid, namespace))
        return filter(is_active, map(state_of, entries))

    async def _create(self, workload: Workload, count: int) -> Failure | None:
        pod = new_pod(workload)
        for size in batches(count):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._create_one(workload, pod), name=f"{self.name}: create for {workload}")
                    for _ in range(size)
                ]
            failures = [failure for task in tasks if (failure := task.result()) is not None]
            if failures:
                return failures[0]
        return None

    async def _create_one(self, workload: Workload, pod: Pod) -> Failure | None:
        try:
            created = await self._resources.create(self._caller, kinds.POD, pod, namespace=workload.metadata.namespace)
        except ApiError as error:
            self._record(workload, "Warning", "FailedCreate", f"Error creating: {error}")
            return Failure("FailedCreate", error)
        self._expectations.created(workload.key, created)
        self._record(workload, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")
        return None

    async def _delete(self, workload: Workload, pods: Sequence[AnyPod]) -> Failure | None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._delete_one(workload, pod), name=f"{self.name}: delete {pod.metadata.name}")
                for pod in pods
            ]
        return next((failure for task in tasks if (failure := task.result()) is not None), None)

    async def _delete_one(self, workload: Workload, pod: AnyPod) -> Failure | None:
        meta = pod.metadata
        try:
            await self._resources.delete(self._caller, kinds.POD, meta.namespace, meta.name, uid=meta.uid)
        except NotFound:
            return None
        except ApiError as error:
            self._record(workload, "Warning", "FailedDelete", f"Error deleting: {error}")
            return Failure("FailedDelete", error)
        self._expectations.deleted(workload.key, pod)
        self._record(workload, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name}")
        return None

    async def _report(self, obj: Any, workload: Workload, pods: _Pods, failure: Failure | None) -> None:
        """Writes the status when it differs, and queues the object for when its next pod becomes available."""
        now = self._clock.now()
        age = self._moments.age_s
        counts = Counts.of(workload, pods.active, pods.terminating, age)
        status = self.status(obj, counts, conditions(obj.status.conditions, failure, now))

        def change(current: Any) -> Any | None:
            if current.metadata.uid != obj.metadata.uid or current.status == status:
                return None
            return replace(current, status=status)

        if obj.status != status:
            try:
                await self._resources.mutate(self._caller, self._kind, *workload.key, change, subresource="status")
            except NotFound:
                return
        waits = [left for pod in pods.active if (left := available_in(pod, workload.min_ready_s, age))]
        if waits:
            self._queue.add_after(workload.key, min(waits))

    def status(self, obj: Any, counts: Counts, conditions: tuple[Any, ...]) -> Any:
        """The status of the object with these numbers and conditions."""
        return replace(
            obj.status,
            replicas=counts.replicas,
            fully_labeled_replicas=counts.fully_labeled,
            ready_replicas=counts.ready,
            available_replicas=counts.available,
            observed_generation=obj.metadata.generation,
            conditions=conditions,
        )

    def _record(self, workload: Workload, type_: str, reason: str, message: str) -> None:
        meta, kind = workload.metadata, workload.kind
        involved = Involved(kind.kind, meta.namespace, meta.name, meta.uid, api_version=kind.api_version)
        self._recorder.record(self._source, involved=involved, type=type_, reason=reason, message=message)
