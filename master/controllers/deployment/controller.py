"""Follows deployments and their replica sets, and does what rollout.py decides, one step in each pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from master import kinds
from master.api.errors import AlreadyExists, ApiError, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry, typed
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.component.moments import Moments
from master.component.podstate import controller_of, is_finished, state_of
from master.component.selection import selected, selecting
from master.controllers.deployment import status as statuses
from master.controllers.deployment.revisions import (
    DESIRED,
    MOST,
    REVISION,
    annotated,
    new_set,
    next_revision,
    without_hash,
)
from master.controllers.deployment.rollout import Resize, Rollout, next_step, size
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workload.claims import Claimer, claims
from master.controllers.workload.namespaces import is_going
from master.controllers.workload.workload import Workload
from master.controllers.workqueue import WorkQueue
from master.kinds.apps.deployment import RECREATE, Deployment, DeploymentStatus
from master.kinds.apps.replicaset import ReplicaSet
from master.objects.index import OWNER
from master.objects.labelselector import is_empty

log = logging.getLogger(__name__)

SOURCE: Final = "deployment-controller"


class DeploymentController:
    """Keeps the replica sets of all deployments up to date."""

    name = "deployment"

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._clock = clock
        self._moments = Moments(clock)
        self._recorder = recorder
        self._caller = component(f"controller:{SOURCE}")
        self._claimer = Claimer(resources, self._caller, kinds.REPLICASET)
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        own = (kinds.DEPLOYMENT,)
        watched = (*own, kinds.REPLICASET)
        await run_keyed(self._cache, self._queue, watched=watched, keys=self._keys, sync=self._reconcile, first=own)

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        """The deployment itself, a replica set's owner, or the deployments that may adopt the replica set."""
        namespace = entry.namespace
        if entry.kind is kinds.DEPLOYMENT:
            return [entry.key]
        owner = controller_of(entry.meta)
        if owner is not None:
            return [(namespace, owner.name)] if owner.kind == kinds.DEPLOYMENT.kind else []
        names = selecting(self._cache, kinds.DEPLOYMENT, namespace, entry.meta.labels)
        return [(namespace, name) for name in names]

    async def _reconcile(self, key: ObjectKey) -> None:
        deployment = self._cache.get(kinds.DEPLOYMENT, *key)
        if deployment is None or is_empty(deployment.spec.selector):
            return
        if deployment.metadata.deletion_timestamp:
            rollout = Rollout.of(deployment, self._owned(deployment))
            await self._write(rollout, statuses.counted(rollout, deployment.status, self._clock.now()))
            return
        await self._claim(deployment)
        rollout = await self._annotate(Rollout.of(deployment, self._owned(deployment)))
        await self._advance(rollout)

    def _owned(self, deployment: Deployment) -> list[ReplicaSet]:
        meta = deployment.metadata
        found = typed(self._cache.by(kinds.REPLICASET, OWNER, meta.uid, meta.namespace))
        return list(claims(Workload.of(kinds.DEPLOYMENT, deployment), found).owned)

    async def _claim(self, deployment: Deployment) -> None:
        """Adopts and releases replica sets. Afterwards the cache shows it."""
        meta, workload = deployment.metadata, Workload.of(kinds.DEPLOYMENT, deployment)
        owned = self._cache.by(kinds.REPLICASET, OWNER, meta.uid, meta.namespace)
        matched = selected(self._cache, kinds.REPLICASET, meta.namespace, deployment.spec.selector)
        by_name = {entry.name: entry for entry in (*owned, *matched)}
        await self._claimer.claim(workload, claims(workload, typed(by_name.values())))

    async def _annotate(self, rollout: Rollout) -> Rollout:
        """Gives the current replica set its revision, and what the deployment changed besides the template."""
        deployment, new = rollout.deployment, rollout.new
        if new is None:
            return rollout
        seconds = deployment.spec.min_ready_seconds

        def change(current: ReplicaSet) -> ReplicaSet | None:
            meta = current.metadata
            annotations = annotated(deployment, meta.annotations, next_revision(rollout.old))
            if annotations == meta.annotations and current.spec.min_ready_seconds == seconds:
                return None
            return replace(
                current,
                metadata=replace(meta, annotations=annotations),
                spec=replace(current.spec, min_ready_seconds=seconds),
            )

        changed = await self._change(new, change)
        return rollout if changed is None else Rollout(deployment, changed, rollout.old)

    async def _change(self, rs: ReplicaSet, change: Callable[[ReplicaSet], ReplicaSet | None]) -> ReplicaSet | None:
        meta = rs.metadata

        def same(current: ReplicaSet) -> ReplicaSet | None:
            return change(current) if current.metadata.uid == meta.uid else None

        return await self._resources.mutate(self._caller, kinds.REPLICASET, meta.namespace, meta.name, same)

    # -- one step -------------------------------------------------------------------------------------------------

    async def _advance(self, rollout: Rollout) -> None:
        """Does the next step and reports it. The changes of the replica sets lead to the next pass."""
        deployment = rollout.deployment
        status = self._with_found(rollout, statuses.with_pause(deployment, self._clock.now()))
        step = next_step(rollout, old_pods=self._has_old_pods(rollout))
        if step.create is not None and not is_going(self._cache, deployment.metadata.namespace):
            status = await self._create(rollout, step.create, status)
        for resize in step.resize:
            await self._resize(rollout, resize)
        for rs in step.remove:
            await self._remove(rs)
        now = self._clock.now()
        rollout = Rollout.of(deployment, self._owned(deployment))
        age = self._moments.age_s
        rolls = step.rolls
        status = statuses.observed(rollout, status, now, age) if rolls else statuses.counted(rollout, status, now)
        await self._write(rollout, status)
        wait = statuses.check_in(rollout, status, age) if rolls else None
        if wait is not None:
            self._queue.add_after((deployment.metadata.namespace, deployment.metadata.name), wait)

    def _with_found(self, rollout: Rollout, status: DeploymentStatus) -> DeploymentStatus:
        """The status with a first condition about the progress, for a replica set that was there before."""
        if rollout.new is None or statuses.deadline_s(rollout.deployment) is None:
            return status
        if statuses.condition_of(status, statuses.PROGRESSING) is not None:
            return status
        text = f'Found new replica set "{rollout.new.metadata.name}"'
        return statuses.with_condition(
            status, statuses.PROGRESSING, "True", statuses.FOUND, message=text, now=self._clock.now()
        )

    def _has_old_pods(self, rollout: Rollout) -> bool:
        """Whether pods of old replica sets run, terminating ones included. Only Recreate needs to know it."""
        if rollout.deployment.spec.strategy.type != RECREATE:
            return False
        namespace = rollout.deployment.metadata.namespace
        return any(
            not is_finished(state_of(entry))
            for rs in rollout.old
            for entry in self._cache.by(kinds.POD, OWNER, rs.metadata.uid, namespace)
        )

    async def _create(self, rollout: Rollout, replicas: int, status: DeploymentStatus) -> DeploymentStatus:
        """Makes the replica set of the current template. Returns the status with the progress."""
        deployment = rollout.deployment
        planned = new_set(deployment, next_revision(rollout.old))
        planned = self._sized(rollout, planned, replicas)
        name, namespace = planned.metadata.name, deployment.metadata.namespace
        try:
            await self._resources.create(self._caller, kinds.REPLICASET, planned, namespace=namespace)
        except AlreadyExists:
            return await self._resolve(rollout, planned, status)
        except ApiError as error:
            await self._fail(rollout, f'Failed to create new replica set "{name}": {error}', status)
            raise
        if replicas:
            self._record(
                deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {replicas}"
            )
        return self._with_progress(deployment, status, "True", statuses.CREATED, f'Created new replica set "{name}"')

    def _with_progress(
        self, deployment: Deployment, status: DeploymentStatus, value: str, reason: str, message: str
    ) -> DeploymentStatus:
        if statuses.deadline_s(deployment) is None:
            return status
        return statuses.with_condition(
            status, statuses.PROGRESSING, value, reason, message=message, now=self._clock.now()
        )

    async def _resolve(self, rollout: Rollout, planned: ReplicaSet, status: DeploymentStatus) -> DeploymentStatus:
        """The name of the new replica set is taken: by itself, or by another one, so that the next hash differs."""
        deployment, meta = rollout.deployment, planned.metadata
        found = self._cache.get(kinds.REPLICASET, meta.namespace, meta.name)
        owner = controller_of(found.metadata) if found is not None else None
        own = owner is not None and owner.uid == deployment.metadata.uid
        if found is not None and own and without_hash(found.spec.template) == deployment.spec.template:
            return status
        collisions = (deployment.status.collision_count or 0) + 1
        log.info("deployment %s/%s: the name %s is taken", meta.namespace, deployment.metadata.name, meta.name)
        return replace(status, collision_count=collisions)

    async def _fail(self, rollout: Rollout, message: str, status: DeploymentStatus) -> None:
        status = self._with_progress(rollout.deployment, status, "False", statuses.NOT_CREATED, message)
        self._record(rollout.deployment, "Warning", statuses.NOT_CREATED, message)
        await self._write(rollout, status)

    def _sized(self, rollout: Rollout, rs: ReplicaSet, replicas: int) -> ReplicaSet:
        """The replica set with another size, and the annotations that say for which size of the deployment."""
        numbers = {DESIRED: str(rollout.replicas), MOST: str(rollout.replicas + rollout.surge)}
        meta = replace(rs.metadata, annotations={**rs.metadata.annotations, **numbers})
        return replace(rs, metadata=meta, spec=replace(rs.spec, replicas=replicas))

    async def _resize(self, rollout: Rollout, resize: Resize) -> None:
        before = size(resize.target)
        if before == resize.to and not resize.always:
            return
        await self._change(resize.target, lambda current: self._sized(rollout, current, resize.to))
        if before != resize.to:
            direction = "up" if before < resize.to else "down"
            name = resize.target.metadata.name
            text = f"Scaled {direction} replica set {name} from {before} to {resize.to}"
            self._record(rollout.deployment, "Normal", "ScalingReplicaSet", text)

    async def _remove(self, rs: ReplicaSet) -> None:
        meta = rs.metadata
        try:
            await self._resources.delete(self._caller, kinds.REPLICASET, meta.namespace, meta.name, uid=meta.uid)
        except NotFound:
            return

    # -- the status -----------------------------------------------------------------------------------------------

    async def _write(self, rollout: Rollout, status: DeploymentStatus) -> None:
        """Writes the status and the annotation of the revision, if they differ."""
        meta = rollout.deployment.metadata
        number = rollout.new.metadata.annotations.get(REVISION) if rollout.new is not None else None

        def change(current: Deployment) -> Deployment | None:
            annotations = current.metadata.annotations
            if number is not None and annotations.get(REVISION) != number:
                annotations = {**annotations, REVISION: number}
            if current.metadata.uid != meta.uid:
                return None
            if (current.status, current.metadata.annotations) == (status, annotations):
                return None
            return replace(current, status=status, metadata=replace(current.metadata, annotations=annotations))

        try:
            await self._resources.mutate(
                self._caller, kinds.DEPLOYMENT, meta.namespace, meta.name, change, subresource="status"
            )
        except NotFound:
            return

    def _record(self, deployment: Deployment, type_: str, reason: str, message: str) -> None:
        involved = Involved.of(kinds.DEPLOYMENT, deployment)
        self._recorder.record(SOURCE, involved=involved, type=type_, reason=reason, message=message)
