"""The replication controller: keeps the number of active pods that each ReplicationController asks for.

Owns creating and deleting these pods, adopting and releasing them, the status and the events. The decisions are in
replicas.py. The garbage collector deletes the pods of a deleted controller.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from master import kinds
from master.api.errors import ApiError, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.component.podstate import AnyPod, PodState, controller_of, state_changed, state_of
from master.component.selection import pods_of, selecting
from master.controllers import replicas
from master.controllers.expectations import Expectations
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workqueue import WorkQueue
from master.kinds.core.pod.model import Pod
from master.kinds.core.replicationcontroller import ReplicationController
from master.objects.index import OWNER

log = logging.getLogger(__name__)

SOURCE = "replication-controller"
# Most pods created or deleted in one pass for one controller; the next pass continues.
BURST = 500
# A created pod that is deleted at once may change nothing that is followed: the pods are then counted again.
RECHECK_S = 5.0


class ReplicationManager:
    """Keeps the pods of all ReplicationControllers up to date."""

    name = "replication"

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._clock = clock
        self._recorder = recorder
        self._caller = component("controller:replication-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)
        self._expectations: Expectations[ObjectKey] = Expectations(resources.cache)

    async def run(self) -> None:
        """Runs until cancelled."""
        own = (kinds.REPLICATIONCONTROLLER,)
        watched = (*own, kinds.POD)
        await run_keyed(
            self._cache,
            self._queue,
            watched=watched,
            keys=self._keys,
            sync=self._sync,
            first=own,
            matters=lambda change: change.kind is not kinds.POD or state_changed(change),
        )

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        """The controller itself, a pod's owner, or the controllers that may adopt the pod."""
        kind, namespace = kinds.REPLICATIONCONTROLLER, entry.namespace
        if entry.kind is kind:
            return [entry.key]
        meta = entry.meta
        owner = controller_of(meta)
        if owner is not None:
            return [(namespace, owner.name)] if owner.kind == kind.kind else []
        return [(namespace, name) for name in selecting(self._cache, kind, namespace, meta.labels)]

    async def _sync(self, key: ObjectKey) -> None:
        rc = self._cache.get(kinds.REPLICATIONCONTROLLER, *key)
        if rc is None:
            self._expectations.forget(key)
            return
        if not self._expectations.met(key):
            self._queue.add_after(key, RECHECK_S)
            return
        claims = replicas.claims(rc, self._pods(rc))
        pods: list[AnyPod] = list(claims.owned)
        failure: ApiError | None = None
        if not rc.metadata.deletion_timestamp:
            pods += await self._claim(rc, claims)
            failure = await self._scale(key, rc, pods)
        await self._report(rc, pods, str(failure or ""))
        if failure is not None:
            raise failure

    def _pods(self, rc: ReplicationController) -> list[PodState]:
        """The pods that the controller owns, and those that it selects."""
        namespace = rc.metadata.namespace
        owned = map(state_of, self._cache.by(kinds.POD, OWNER, rc.metadata.uid, namespace))
        by_name = {pod.metadata.name: pod for pod in (*owned, *pods_of(self._cache, namespace, rc.spec.selector))}
        return list(by_name.values())

    async def _claim(self, rc: ReplicationController, claims: replicas.Claims) -> list[Pod]:
        """Releases strays and adopts orphans; returns the adopted pods."""
        for pod in claims.strays:
            await self._change(pod, partial(replicas.released, rc=rc))
        changed = [await self._change(pod, partial(replicas.adopted, rc=rc)) for pod in claims.orphans]
        return [pod for pod in changed if pod is not None]

    async def _change(self, pod: AnyPod, change: Callable[[Pod], Pod | None]) -> Pod | None:
        meta = pod.metadata

        def same(current: Pod) -> Pod | None:
            return change(current) if current.metadata.uid == meta.uid else None

        try:
            return await self._resources.mutate(self._caller, kinds.POD, meta.namespace, meta.name, same)
        except NotFound:
            return None

    async def _scale(self, key: ObjectKey, rc: ReplicationController, pods: Sequence[AnyPod]) -> ApiError | None:
        """Creates or deletes pods; returns the first error of creating."""
        desired = rc.spec.replicas if rc.spec.replicas is not None else 1
        missing = min(desired - len(pods), BURST)
        if missing < 0:
            await self._delete(key, rc, replicas.surplus(pods, min(-missing, BURST)))
        elif missing > 0 and not self._namespace_is_terminating(key[0]):
            pause_s = replicas.pause_s(rc, self._cache.list(kinds.POD, key[0]), self._clock.now())
            if pause_s > 0:
                self._queue.add_after(key, pause_s)
            else:
                self._queue.add_after(key, RECHECK_S)
                return await self._create(key, rc, missing)
        return None

    def _namespace_is_terminating(self, name: str) -> bool:
        namespace = self._cache.get(kinds.NAMESPACE, "", name)
        return namespace is None or bool(namespace.metadata.deletion_timestamp)

    async def _create(self, key: ObjectKey, rc: ReplicationController, count: int) -> ApiError | None:
        pod = replicas.new_pod(rc)
        for size in replicas.batches(count):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._create_one(key, rc, pod), name=f"{self.name}: create for {key[1]}")
                    for _ in range(size)
                ]
            failures = [error for task in tasks if (error := task.result()) is not None]
            if failures:
                return failures[0]
        return None

    async def _create_one(self, key: ObjectKey, rc: ReplicationController, pod: Pod) -> ApiError | None:
        try:
            created = await self._resources.create(self._caller, kinds.POD, pod, namespace=key[0])
        except ApiError as error:
            self._record(rc, "Warning", "FailedCreate", f"Error creating: {error}")
            return error
        self._expectations.created(key, created)
        self._record(rc, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")
        return None

    async def _delete(self, key: ObjectKey, rc: ReplicationController, pods: Sequence[AnyPod]) -> None:
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(self._delete_one(key, rc, pod), name=f"{self.name}: delete {pod.metadata.name}")

    async def _delete_one(self, key: ObjectKey, rc: ReplicationController, pod: AnyPod) -> None:
        meta = pod.metadata
        try:
            await self._resources.delete(self._caller, kinds.POD, meta.namespace, meta.name, uid=meta.uid)
        except NotFound:
            return
        except ApiError as error:
            self._record(rc, "Warning", "FailedDelete", f"Error deleting: {error}")
            self._queue.add_after(key, 1.0)
            return
        self._expectations.deleted(key, pod)
        self._record(rc, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name}")

    async def _report(self, rc: ReplicationController, pods: Sequence[AnyPod], failure: str) -> None:
        """Writes the status when it differs, and queues the controller for when its next pod becomes available."""
        now = self._clock.now()
        status = replicas.status_of(rc, pods, now=now, failure=failure)

        def change(current: ReplicationController) -> ReplicationController | None:
            if current.metadata.uid != rc.metadata.uid or current.status == status:
                return None
            return msgspec.structs.replace(current, status=status)

        meta = rc.metadata
        if rc.status != status:
            kind = kinds.REPLICATIONCONTROLLER
            try:
                await self._resources.mutate(
                    self._caller, kind, meta.namespace, meta.name, change, subresource="status"
                )
            except NotFound:
                return
        waits = [left for pod in pods if (left := replicas.available_in(pod, rc, now))]
        if waits:
            self._queue.add_after((meta.namespace, meta.name), min(waits))

    def _record(self, rc: ReplicationController, type_: str, reason: str, message: str) -> None:
        involved = Involved.of(kinds.REPLICATIONCONTROLLER, rc)
        self._recorder.record(SOURCE, involved=involved, type=type_, reason=reason, message=message)
