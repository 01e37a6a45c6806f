"""The deployment controller against the real pipeline, with the controller of replica sets and a fake clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.api.errors import Unavailable
from master.controllers.deployment.controller import DeploymentController
from master.controllers.deployment.revisions import HASH, REVISION, REVISION_HISTORY, without_hash
from master.controllers.garbage import GarbageCollector
from master.controllers.replicaset import ReplicaSetController
from master.kinds.apps.deployment import Deployment, DeploymentSpec, DeploymentStrategy
from master.kinds.apps.replicaset import ReplicaSet
from master.kinds.core.pod.model import PodStatus
from master.kinds.core.pod.writes import bind
from tests.fakes.clock import settle
from tests.fakes.cluster import CALLER, FakeCluster, deployment, pod_status, rs, seconds_ago

RECREATE = DeploymentStrategy(type="Recreate")


@asynccontextmanager
async def running(*more: Any) -> AsyncIterator[FakeCluster]:
    """A cluster with the controllers of deployments and replica sets."""
    cluster = await FakeCluster.make()
    made = [
        controller(cluster.resources, cluster.clock, cluster.recorder)
        for controller in (DeploymentController, ReplicaSetController, *more)
    ]
    async with cluster.running(*made):
        yield cluster


async def create(cluster: FakeCluster, made: Deployment | None = None, **values: Any) -> None:
    await cluster.create(kinds.DEPLOYMENT, made or deployment("web", **values))
    await settle(200)


async def change(cluster: FakeCluster, **spec: Any) -> None:
    await cluster.change(kinds.DEPLOYMENT, "web", lambda old: replace(old, spec=replace(old.spec, **spec)))
    await settle(200)


async def set_image(cluster: FakeCluster, image: str) -> None:
    def changed(spec: DeploymentSpec) -> DeploymentSpec:
        (container,) = spec.template.spec.containers
        pod = replace(spec.template.spec, containers=(replace(container, image=image),))
        return replace(spec, template=replace(spec.template, spec=pod))

    await cluster.change(kinds.DEPLOYMENT, "web", lambda old: replace(old, spec=changed(old.spec)))
    await settle(200)


def web(cluster: FakeCluster) -> Deployment:
    found: Deployment = cluster.get(kinds.DEPLOYMENT, "web")
    return found


def sets(cluster: FakeCluster) -> dict[str, ReplicaSet]:
    """The replica sets by image."""
    found = cluster.cache.list(kinds.REPLICASET)
    return {one.spec.template.spec.containers[0].image: one for one in found}


def sizes(cluster: FakeCluster) -> dict[str, int]:
    return {image: one.spec.replicas or 0 for image, one in sets(cluster).items()}


def condition(cluster: FakeCluster, type_: str) -> tuple[str, str]:
    found = next(one for one in web(cluster).status.conditions if one.type == type_)
    return found.status, found.reason


async def run_pods(cluster: FakeCluster, image: str = "") -> None:
    """All pods (of an image) become ready, as their nodes report."""
    for pod in cluster.pods():
        fits = not image or pod.spec.containers[0].image == image
        if fits and pod.status.phase == "Pending":
            await cluster.change(kinds.POD, pod.metadata.name, _ready_now(cluster), subresource="status")
    await settle(200)


def _ready_now(cluster: FakeCluster) -> Any:
    status: PodStatus = pod_status(since=seconds_ago(cluster.clock, 0))
    return lambda old: replace(old, status=status)


async def finish(cluster: FakeCluster) -> None:
    """The pods run until the deployment does not change any more."""
    for _ in range(20):
        await run_pods(cluster)
        if all(pod.status.phase == "Running" for pod in cluster.pods()):
            return


async def test_a_deployment_makes_a_replica_set_and_that_one_its_pods() -> None:
    async with running() as cluster:
        await create(cluster, replicas=3)
        (made,) = cluster.cache.list(kinds.REPLICASET)
        owner = made.metadata.owner_references[0]
        assert (owner.api_version, owner.kind, owner.name, owner.controller) == ("apps/v1", "Deployment", "web", True)
        assert {pod.metadata.labels[HASH] for pod in cluster.pods()} == {made.metadata.labels[HASH]}
        assert len(cluster.pods()) == 3
        status = web(cluster).status
        assert (status.replicas, status.updated_replicas, status.unavailable_replicas) == (3, 3, 3)
        assert condition(cluster, "Available") == ("False", "MinimumReplicasUnavailable")
        assert condition(cluster, "Progressing") == ("True", "ReplicaSetUpdated")
        await run_pods(cluster)
        status = web(cluster).status
        assert (status.ready_replicas, status.available_replicas, status.unavailable_replicas) == (3, 3, 0)
        assert (status.observed_generation, status.terminating_replicas) == (1, 0)
        assert condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
        assert condition(cluster, "Progressing") == ("True", "NewReplicaSetAvailable")
        assert web(cluster).metadata.annotations == {REVISION: "1"}
        assert web(cluster).metadata.generation == 1
        (event,) = cluster.events("ScalingReplicaSet")
        assert event.message == f"Scaled up replica set {made.metadata.name} from 0 to 3"
        assert event.source.component == "deployment-controller"


async def test_a_rolling_update_never_has_too_many_or_too_few_pods() -> None:
    async with running() as cluster:
        await create(cluster, replicas=8)
        await run_pods(cluster)
        await set_image(cluster, "app:2")
        for _ in range(30):
            pods = cluster.pods()
            assert len(pods) <= 10
            assert sum(pod.status.phase == "Running" for pod in pods) >= 6
            waiting = next((pod for pod in pods if pod.status.phase == "Pending"), None)
            if waiting is None:
                break
            await cluster.change(kinds.POD, waiting.metadata.name, _ready_now(cluster), subresource="status")
            await settle(200)
        assert sizes(cluster) == {"app:1": 0, "app:2": 8}
        assert web(cluster).metadata.annotations[REVISION] == "2"
        assert condition(cluster, "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_recreate_waits_until_the_old_pods_are_gone() -> None:
    async with running() as cluster:
        await cluster.node("n1")
        await create(cluster, replicas=2, strategy=RECREATE)
        for pod in cluster.pods():
            await bind(cluster.resources, CALLER, "default", pod.metadata.name, "n1")
        await run_pods(cluster)
        await set_image(cluster, "app:2")
        assert sizes(cluster) == {"app:1": 0}
        assert all(pod.metadata.deletion_timestamp for pod in cluster.pods())
        assert web(cluster).status.terminating_replicas == 2
        for pod in cluster.pods():
            assert "app:2" not in sizes(cluster)
            await cluster.delete(kinds.POD, pod.metadata.name, grace_period_s=0)
            await settle(200)
        assert sizes(cluster) == {"app:1": 0, "app:2": 2}


async def test_a_rollback_uses_the_old_replica_set_and_is_a_new_revision() -> None:
    async with running() as cluster:
        await create(cluster, replicas=1)
        await finish(cluster)
        await set_image(cluster, "app:2")
        await finish(cluster)
        names = {image: one.metadata.name for image, one in sets(cluster).items()}
        # As `kubectl rollout undo` does it: with the template of the replica set.
        await change(cluster, template=without_hash(sets(cluster)["app:1"].spec.template))
        await finish(cluster)
        assert sizes(cluster) == {"app:1": 1, "app:2": 0}
        assert {image: one.metadata.name for image, one in sets(cluster).items()} == names
        annotations = sets(cluster)["app:1"].metadata.annotations
        assert (annotations[REVISION], annotations[REVISION_HISTORY]) == ("3", "1")
        assert web(cluster).metadata.annotations[REVISION] == "3"


async def test_only_the_latest_revisions_are_kept() -> None:
    async with running() as cluster:
        await create(cluster, replicas=1, revision_history_limit=2)
        await finish(cluster)
        for number in range(2, 6):
            await set_image(cluster, f"app:{number}")
            await finish(cluster)
        assert sizes(cluster) == {"app:3": 0, "app:4": 0, "app:5": 1}


async def test_a_paused_deployment_rolls_when_it_is_resumed() -> None:
    async with running() as cluster:
        await create(cluster, replicas=2)
        await finish(cluster)
        await change(cluster, paused=True)
        assert condition(cluster, "Progressing") == ("Unknown", "DeploymentPaused")
        await set_image(cluster, "app:2")
        assert sizes(cluster) == {"app:1": 2}
        await change(cluster, replicas=3)
        assert sizes(cluster) == {"app:1": 3}
        await change(cluster, paused=False)
        assert condition(cluster, "Progressing") == ("True", "ReplicaSetUpdated")
        await finish(cluster)
        assert sizes(cluster) == {"app:1": 0, "app:2": 3}


async def test_scaling_during_a_rollout_keeps_the_proportions() -> None:
    async with running() as cluster:
        await create(cluster, replicas=10)
        await run_pods(cluster)
        await set_image(cluster, "app:2")
        before = sizes(cluster)
        await change(cluster, replicas=20)
        after = sizes(cluster)
        assert sum(after.values()) == 25
        assert abs(after["app:1"] / after["app:2"] - before["app:1"] / before["app:2"]) < 0.2


async def test_a_rollout_without_progress_is_reported_and_goes_on() -> None:
    async with running() as cluster:
        await create(cluster, replicas=1, progress_deadline_seconds=60)
        await cluster.clock.advance(30)
        assert condition(cluster, "Progressing") == ("True", "ReplicaSetUpdated")
        await cluster.clock.advance(40)
        await settle(200)
        assert condition(cluster, "Progressing") == ("False", "ProgressDeadlineExceeded")
        await run_pods(cluster)
        assert condition(cluster, "Progressing") == ("True", "NewReplicaSetAvailable")


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "back"])
async def test_a_rollout_keeps_its_deadline_although_the_clock_is_set(ahead: timedelta) -> None:
    async with running() as cluster:
        await create(cluster, replicas=1, progress_deadline_seconds=60)
        await cluster.clock.advance(30)
        cluster.clock.ahead = ahead
        await change(cluster, min_ready_seconds=1)
        assert condition(cluster, "Progressing") == ("True", "ReplicaSetUpdated")
        await cluster.clock.advance(40)
        await settle(200)
        assert condition(cluster, "Progressing") == ("False", "ProgressDeadlineExceeded")


async def test_pods_count_after_they_have_been_ready_long_enough() -> None:
    async with running() as cluster:
        await create(cluster, replicas=1, min_ready_seconds=10)
        await run_pods(cluster)
        assert (web(cluster).status.ready_replicas, web(cluster).status.available_replicas) == (1, 0)
        await cluster.clock.advance(11)
        await settle(200)
        assert web(cluster).status.available_replicas == 1
        await change(cluster, min_ready_seconds=30)
        assert sets(cluster)["app:1"].spec.min_ready_seconds == 30


async def test_a_name_that_another_replica_set_has_counts_as_a_collision() -> None:
    async with running() as cluster:
        await create(cluster, replicas=1)
        (first,) = cluster.cache.list(kinds.REPLICASET)
        await cluster.delete(kinds.DEPLOYMENT, "web", propagation="Orphan")
        other = replace(rs(first.metadata.name, app="other"), status=first.status)
        await cluster.delete(kinds.REPLICASET, first.metadata.name)
        await cluster.create(kinds.REPLICASET, other)
        await cluster.clock.advance(1)
        await cluster.change(
            kinds.DEPLOYMENT, "web", lambda old: replace(old, metadata=replace(old.metadata, finalizers=()))
        )
        await create(cluster, replicas=1)
        await cluster.clock.advance(1)
        await settle(200)
        assert web(cluster).status.collision_count == 1
        assert len(cluster.cache.list(kinds.REPLICASET)) == 2


async def test_replica_sets_are_adopted_and_released() -> None:
    async with running() as cluster:
        before = rs("before", replicas=1)
        await cluster.create(kinds.REPLICASET, _labelled(before, "web"))
        made = deployment("web")
        await create(cluster, made=replace(made, spec=replace(made.spec, template=before.spec.template)))
        (adopted,) = cluster.cache.list(kinds.REPLICASET)
        assert (adopted.metadata.owner_references[0].name, adopted.metadata.annotations[REVISION]) == ("web", "1")
        assert condition(cluster, "Progressing")[1] == "ReplicaSetUpdated"
        await cluster.change(kinds.REPLICASET, "before", lambda old: _labelled(old, "other"))
        await settle(200)
        assert cluster.get(kinds.REPLICASET, "before").metadata.owner_references == ()
        assert len(cluster.cache.list(kinds.REPLICASET)) == 2


def _labelled(found: ReplicaSet, app: str) -> ReplicaSet:
    return replace(found, metadata=replace(found.metadata, labels={"app": app}))


async def test_a_replica_set_that_cannot_be_made_is_reported_and_made_later() -> None:
    async with running() as cluster:
        make = cluster.resources.create

        async def refuse(caller: object, kind: object, obj: object, **values: str) -> object:
            if kind is kinds.REPLICASET:
                raise Unavailable("no room")
            return await make(caller, kind, obj, **values)  # type: ignore[arg-type]

        cluster.resources.create = refuse  # type: ignore[method-assign, assignment]
        await create(cluster, replicas=1)
        assert condition(cluster, "Progressing") == ("False", "ReplicaSetCreateError")
        assert cluster.events("ReplicaSetCreateError")[0].type == "Warning"
        cluster.resources.create = make  # type: ignore[method-assign]
        await cluster.clock.advance(2)
        await settle(200)
        assert sizes(cluster) == {"app:1": 1}


async def test_a_failure_of_a_replica_set_is_one_of_the_deployment() -> None:
    async with running() as cluster:
        make = cluster.resources.create

        async def refuse(caller: object, kind: object, obj: object, **values: str) -> object:
            if kind is kinds.POD:
                raise Unavailable("no room")
            return await make(caller, kind, obj, **values)  # type: ignore[arg-type]

        cluster.resources.create = refuse  # type: ignore[method-assign, assignment]
        await create(cluster, replicas=1)
        assert condition(cluster, "ReplicaFailure") == ("True", "FailedCreate")
        cluster.resources.create = make  # type: ignore[method-assign]
        await cluster.clock.advance(2)
        await settle(200)
        assert "ReplicaFailure" not in {one.type for one in web(cluster).status.conditions}


async def test_replica_sets_and_pods_go_with_their_deployment() -> None:
    async with running(GarbageCollector) as cluster:
        await create(cluster, replicas=2)
        await cluster.delete(kinds.DEPLOYMENT, "web")
        await settle(300)
        assert (cluster.cache.list(kinds.REPLICASET), cluster.pods()) == ([], [])


async def test_orphaned_replica_sets_keep_their_pods() -> None:
    async with running(GarbageCollector) as cluster:
        await create(cluster, replicas=2)
        await cluster.delete(kinds.DEPLOYMENT, "web", propagation="Orphan")
        await settle(300)
        assert cluster.get(kinds.DEPLOYMENT, "web") is None
        (left,) = cluster.cache.list(kinds.REPLICASET)
        assert left.metadata.owner_references == ()
        assert len(cluster.pods()) == 2


async def test_a_second_run_of_the_controllers_changes_nothing() -> None:
    async with running() as cluster:
        await create(cluster, replicas=3)
        await finish(cluster)
        revision = cluster.cache.revision
        again = [
            made(cluster.resources, cluster.clock, cluster.recorder)
            for made in (DeploymentController, ReplicaSetController)
        ]
        async with cluster.running(*again):
            await settle(300)
        assert cluster.cache.revision == revision
