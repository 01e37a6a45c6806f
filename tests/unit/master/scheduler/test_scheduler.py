"""The scheduler against the real pipeline: binding, unschedulable pods, retries, and the pods that it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.api.errors import Unavailable
from master.api.pipeline.attempt import Outcome
from master.api.pipeline.request import Permit
from master.kinds.core.pod.container import ResourceRequirements
from master.kinds.core.pod.model import Pod, PodSchedulingGate
from master.kinds.core.pod.storage import PersistentVolumeClaimVolumeSource
from master.kinds.core.pod.volume import Volume
from master.objects.meta import ObjectMeta
from master.scheduler.scheduler import CALLER, Scheduler
from master.schema.data import Untyped
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, pod, rc, rs, service


async def cluster_and_scheduler() -> tuple[FakeCluster, Scheduler]:
    cluster = await FakeCluster.make()
    return cluster, Scheduler(cluster.resources, cluster.clock, cluster.recorder)


def scheduled(pod: object) -> tuple[str, str, str]:
    condition = next(c for c in pod.status.conditions if c.type == "PodScheduled")  # type: ignore[attr-defined]
    return condition.status, condition.reason, condition.message


async def test_a_pod_is_bound_and_an_event_recorded() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1")
    async with cluster.running(scheduler):
        await cluster.pod("web")
        await settle()
        assert cluster.get(kinds.POD, "web").spec.node_name == "n1"
        (event,) = cluster.events("Scheduled")
        assert event.message == "Successfully assigned default/web to n1"
        assert event.source.component == "default-scheduler"


async def test_pods_created_before_the_scheduler_starts_are_bound() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.pod("web")
    await cluster.node("n1")
    async with cluster.running(scheduler):
        assert cluster.get(kinds.POD, "web").spec.node_name == "n1"


@pytest.mark.parametrize(("kind", "owner"), [(kinds.REPLICATIONCONTROLLER, rc("web")), (kinds.REPLICASET, rs("web"))])
async def test_pods_of_a_controller_are_spread(kind: Any, owner: Any) -> None:
    cluster, scheduler = await cluster_and_scheduler()
    for name in ("n1", "n2", "n3"):
        await cluster.node(name)
    await cluster.create(kind, owner)
    async with cluster.running(scheduler):
        for i in range(6):
            await cluster.pod(f"web-{i}", labels={"app": "web"})
        await settle()
        places = sorted(pod.spec.node_name for pod in cluster.pods())
        assert places == ["n1", "n1", "n2", "n2", "n3", "n3"]


async def test_pods_of_others_are_left_alone() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1")
    async with cluster.running(scheduler):
        await cluster.pod("other", scheduler="my-scheduler")
        await cluster.pod("named", node="n7")
        await settle()
        assert cluster.get(kinds.POD, "other").spec.node_name == ""
        assert cluster.get(kinds.POD, "named").spec.node_name == "n7"
        assert cluster.events() == []


async def test_a_pod_that_fits_on_no_node_has_a_condition_and_is_bound_to_a_new_node() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1", cpu="1")
    async with cluster.running(scheduler):
        await cluster.pod("big", cpu="2")
        await settle()
        message = "0/1 nodes are available: 1 Insufficient cpu."
        assert scheduled(cluster.get(kinds.POD, "big")) == ("False", "Unschedulable", message)
        (event,) = cluster.events("FailedScheduling")
        assert (event.type, event.message, event.count) == ("Warning", message, 1)
        # At once: a new node ends the back-off of waiting pods.
        await cluster.node("n2", cpu="4")
        await settle()
        assert cluster.get(kinds.POD, "big").spec.node_name == "n2"
        assert scheduled(cluster.get(kinds.POD, "big"))[0] == "True"


async def test_freed_resources_are_used_after_the_back_off() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1", cpu="1")
    await cluster.pod("held", cpu="800m", node="n1")
    async with cluster.running(scheduler):
        await cluster.pod("next", cpu="500m")
        await settle()
        await cluster.delete(kinds.POD, "held", grace_period_s=0)
        await settle()
        assert cluster.get(kinds.POD, "next").spec.node_name == ""
        await cluster.clock.advance(1.5)
        assert cluster.get(kinds.POD, "next").spec.node_name == "n1"


async def test_a_finished_pod_uses_no_resources() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1", cpu="1")
    await cluster.pod("done", cpu="800m", node="n1", phase="Succeeded")
    async with cluster.running(scheduler):
        await cluster.pod("next", cpu="500m")
        await settle()
        assert cluster.get(kinds.POD, "next").spec.node_name == "n1"


async def test_failed_attempts_raise_the_count_of_one_event() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    async with cluster.running(scheduler):
        await cluster.pod("web")
        await cluster.clock.advance(130)
        (event,) = cluster.events("FailedScheduling")
        assert event.message == "no nodes available to schedule pods"
        assert event.count == 3


async def test_the_same_condition_is_written_once() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    async with cluster.running(scheduler):
        await cluster.pod("web")
        await settle()
        version = cluster.get(kinds.POD, "web").metadata.resource_version
        await cluster.clock.advance(130)
        assert cluster.get(kinds.POD, "web").metadata.resource_version == version


async def test_a_failed_binding_frees_the_resources_and_is_retried() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1")
    async with cluster.running(scheduler):
        change = cluster.resources.pipeline.change

        async def refuse(permit: Permit, *args: Any, **options: Any) -> Outcome | None:
            if permit.request.subresource == "binding":
                raise Unavailable("the store cannot write now")
            return await change(permit, *args, **options)

        cluster.resources.pipeline.change = refuse  # type: ignore[method-assign]
        await cluster.pod("web", cpu="900m")
        await settle()
        assert cluster.get(kinds.POD, "web").spec.node_name == ""
        assert [event.message for event in cluster.events("FailedScheduling")] == [
            "binding rejected: the store cannot write now"
        ]
        cluster.resources.pipeline.change = change  # type: ignore[method-assign]
        await cluster.clock.advance(2)
        assert cluster.get(kinds.POD, "web").spec.node_name == "n1"


async def test_a_cordoned_node_takes_no_pod_until_it_is_uncordoned() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1", unschedulable=True)
    async with cluster.running(scheduler):
        await cluster.pod("web")
        await settle()
        assert scheduled(cluster.get(kinds.POD, "web"))[2] == ("0/1 nodes are available: 1 node(s) were unschedulable.")
        await cluster.change(kinds.NODE, "n1", lambda node: replace(node, spec=replace(node.spec, unschedulable=False)))
        await settle()
        assert cluster.get(kinds.POD, "web").spec.node_name == "n1"


async def test_a_thousand_pods_do_not_overfill_nodes() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    for i in range(10):
        await cluster.node(f"n{i}", cpu="10", memory="100Gi")
    await cluster.create(kinds.SERVICE, service("web"))
    async with cluster.running(scheduler):
        for i in range(1050):
            await cluster.pod(f"web-{i}", cpu="100m", labels={"app": "web"})
        await settle(2000)
        bound = [pod for pod in cluster.pods() if pod.spec.node_name]
        assert len(bound) == 1000
        per_node = {f"n{i}": 0 for i in range(10)}
        for pod in bound:
            per_node[pod.spec.node_name] += 1
        assert set(per_node.values()) == {100}


async def test_binding_follows_the_creation_at_once() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    for i in range(3):
        await cluster.node(f"n{i}")
    async with cluster.running(scheduler):
        await cluster.pod("warm-up")
        await settle()
        await cluster.pod("web")
        await settle()  # the clock stands still: no polling of any kind would find the pod
        assert cluster.get(kinds.POD, "web").spec.node_name


async def test_a_pod_with_gates_waits_until_the_last_one_is_removed() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1")
    gates = (PodSchedulingGate(name="example.com/a"), PodSchedulingGate(name="example.com/b"))
    async with cluster.running(scheduler):
        new = pod("web")
        await cluster.create(kinds.POD, replace(new, spec=replace(new.spec, scheduling_gates=gates)))
        for left in (gates, gates[1:]):
            await cluster.change(
                kinds.POD, "web", lambda old, left=left: replace(old, spec=replace(old.spec, scheduling_gates=left))
            )
            await settle()
            waiting = cluster.get(kinds.POD, "web")
            assert waiting.spec.node_name == ""
            assert scheduled(waiting)[:2] == ("False", "SchedulingGated")
            assert cluster.events() == []
        await cluster.change(kinds.POD, "web", lambda old: replace(old, spec=replace(old.spec, scheduling_gates=())))
        await settle()
        bound = cluster.get(kinds.POD, "web")
        assert bound.spec.node_name == "n1"
        assert scheduled(bound) == ("True", "", "")


async def test_a_resource_that_no_node_has_fits_nowhere_until_a_node_reports_it() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1")
    async with cluster.running(scheduler):
        new = pod("gpu")
        wanted = ResourceRequirements(limits={"example.com/gpu": "1"})
        container = replace(new.spec.containers[0], resources=wanted)
        await cluster.create(kinds.POD, replace(new, spec=replace(new.spec, containers=(container,))))
        await settle()
        message = "0/1 nodes are available: 1 Insufficient example.com/gpu."
        assert scheduled(cluster.get(kinds.POD, "gpu")) == ("False", "Unschedulable", message)
        await cluster.change(
            kinds.NODE,
            "n1",
            lambda old: replace(
                old, status=replace(old.status, allocatable={**old.status.allocatable, "example.com/gpu": "1"})
            ),
            subresource="status",
        )
        await settle()
        assert cluster.get(kinds.POD, "gpu").spec.node_name == "n1"


def using_claim() -> Pod:
    made = pod("web")
    used = Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data"))
    return replace(made, spec=replace(made.spec, volumes=(used,)))


def claim() -> Untyped:
    """Bound to the volume `disk`."""
    storage = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": "disk"}
    content = {"spec": {"accessModes": ["ReadWriteOnce"], **storage}}
    return Untyped(metadata=ObjectMeta(name="data", namespace="default"), content=content)


def volume_on(node: str) -> Untyped:
    at_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "local": {"path": "/mnt/ssd"},
        "claimRef": {"namespace": "default", "name": "data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [at_node]}]}},
    }
    return Untyped(metadata=ObjectMeta(name="disk"), content={"spec": spec})


async def test_a_pod_waits_for_its_claim_and_goes_where_the_volume_is() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    for name in ("n1", "n2", "n3"):
        await cluster.node(name, labels={"kubernetes.io/hostname": name})
    async with cluster.running(scheduler):
        await cluster.create(kinds.POD, using_claim())
        await settle()
        message = '0/3 nodes are available: persistentvolumeclaim "data" not found.'
        assert scheduled(cluster.get(kinds.POD, "web")) == ("False", "Unschedulable", message)
        await cluster.create(kinds.PERSISTENTVOLUMECLAIM, claim())
        await settle()
        assert scheduled(cluster.get(kinds.POD, "web"))[2].endswith('persistentvolume "disk" not found.')
        await cluster.resources.create(CALLER, kinds.PERSISTENTVOLUME, volume_on("n2"))
        await settle()
        assert cluster.get(kinds.POD, "web").spec.node_name == "n2"


async def test_a_volume_on_no_node_of_the_cluster_is_the_reason() -> None:
    cluster, scheduler = await cluster_and_scheduler()
    await cluster.node("n1", labels={"kubernetes.io/hostname": "n1"})
    await cluster.create(kinds.PERSISTENTVOLUMECLAIM, claim())
    await cluster.resources.create(CALLER, kinds.PERSISTENTVOLUME, volume_on("n2"))
    async with cluster.running(scheduler):
        await cluster.create(kinds.POD, using_claim())
        await settle()
        message = "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity."
        assert scheduled(cluster.get(kinds.POD, "web"))[2] == message
