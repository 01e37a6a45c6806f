"""After a deletion: dependents are deleted, orphaned, or block their owner; namespaces are emptied."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.controllers.endpointslice import EndpointSliceController
from master.controllers.garbage import GarbageCollector
from master.controllers.namespace import NamespaceController, deletion_order
from master.controllers.namespacecontents import with_conditions
from master.controllers.ownership import Item, Verdict, judge
from master.controllers.replication import ReplicationManager
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.namespace import Namespace
from master.kinds.core.pod.writes import bind, finish_deletion
from master.objects.meta import ObjectMeta, OwnerReference
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, pod, rc, service

RC = OwnerReference(api_version="v1", kind="ReplicationController", name="web", uid="1")
NODE = OwnerReference(api_version="v1", kind="Node", name="n1", uid="2")
STRANGE = OwnerReference(api_version="example.com/v1", kind="Widget", name="web", uid="3")
LATER = OwnerReference(api_version="v2", kind="Pod", name="web", uid="4")


PODS = Item(kinds.POD, "default", "p", "9")
NODES = Item(kinds.NODE, "", "n", "8")


@pytest.mark.parametrize(
    ("item", "owners", "alive", "verdict"),
    [
        pytest.param(PODS, [RC], {"1"}, Verdict(), id="owner there"),
        pytest.param(PODS, [RC], set(), Verdict(delete=True, dangling=(RC,)), id="owner gone"),
        pytest.param(PODS, [RC, NODE], {"2"}, Verdict(dangling=(RC,)), id="one of two left"),
        pytest.param(PODS, [RC, NODE], set(), Verdict(delete=True, dangling=(RC, NODE)), id="both gone"),
        pytest.param(PODS, [STRANGE], set(), Verdict(), id="a kind that is not served"),
        pytest.param(PODS, [STRANGE, RC], set(), Verdict(dangling=(RC,)), id="one gone, one of an unknown kind"),
        pytest.param(PODS, [LATER], set(), Verdict(), id="a version that is not served"),
        pytest.param(PODS, [], set(), Verdict(), id="no owner"),
        pytest.param(NODES, [NODE], set(), Verdict(delete=True, dangling=(NODE,)), id="both without a namespace"),
        pytest.param(NODES, [RC], set(), Verdict(misplaced=(RC,)), id="namespaced owner of an object without one"),
        pytest.param(NODES, [RC, NODE], set(), Verdict(misplaced=(RC,)), id="the same beside an owner that is gone"),
    ],
)
def test_verdicts(item: Item, owners: list[OwnerReference], alive: set[str], verdict: Verdict) -> None:
    def exists(kind: Any, namespace: str, name: str, uid: str) -> bool:
        assert namespace == ("default" if kind.namespaced else "")
        return uid in alive

    assert judge(item, owners, exists, kinds.registry().of_kind) == verdict


async def start() -> tuple[FakeCluster, GarbageCollector]:
    cluster = await FakeCluster.make()
    return cluster, GarbageCollector(cluster.resources, cluster.clock, cluster.recorder)


async def owned_pods(cluster: FakeCluster, *, block: bool = True) -> str:
    made = await cluster.create(kinds.REPLICATIONCONTROLLER, rc("web"))
    uid = str(made.metadata.uid)
    for name in ("a", "b"):
        owner = OwnerReference(
            api_version="v1", kind="ReplicationController", name="web", uid=uid, block_owner_deletion=block
        )
        await cluster.pod(name, owner=owner)
    await cluster.pod("free")
    return uid


def names(cluster: FakeCluster) -> list[str]:
    return [pod.metadata.name for pod in cluster.pods()]


async def test_background_deletion_deletes_the_dependents() -> None:
    cluster, collector = await start()
    async with cluster.running(collector):
        await owned_pods(cluster)
        await settle()
        await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation="Background")
        await settle()
        assert names(cluster) == ["free"]


async def test_orphan_deletion_keeps_the_dependents() -> None:
    cluster, collector = await start()
    async with cluster.running(collector):
        await owned_pods(cluster)
        await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation="Orphan")
        await settle()
        assert cluster.get(kinds.REPLICATIONCONTROLLER, "web") is None
        assert names(cluster) == ["a", "b", "free"]
        assert all(pod.metadata.owner_references == () for pod in cluster.pods())


async def test_foreground_deletion_waits_for_the_dependents() -> None:
    cluster, collector = await start()
    await cluster.node("n1")
    async with cluster.running(collector):
        await owned_pods(cluster)
        await bind(cluster.resources, collector._caller, "default", "a", "n1")
        await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation="Foreground")
        await settle()
        assert names(cluster) == ["a", "free"]
        assert cluster.get(kinds.REPLICATIONCONTROLLER, "web") is not None
        uid = cluster.get(kinds.POD, "a").metadata.uid
        await finish_deletion(cluster.resources, collector._caller, "default", "a", uid)
        await settle()
        assert names(cluster) == ["free"]
        assert cluster.get(kinds.REPLICATIONCONTROLLER, "web") is None


async def test_foreground_deletion_does_not_wait_for_a_dependent_that_was_released() -> None:
    cluster, collector = await start()
    await cluster.node("n1")
    async with cluster.running(collector):
        await owned_pods(cluster)
        await bind(cluster.resources, collector._caller, "default", "a", "n1")
        await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation="Foreground")
        await settle()
        assert cluster.get(kinds.REPLICATIONCONTROLLER, "web") is not None
        await cluster.change(
            kinds.POD, "a", lambda old: replace(old, metadata=replace(old.metadata, owner_references=()))
        )
        await settle()
        assert cluster.get(kinds.REPLICATIONCONTROLLER, "web") is None


async def test_an_owner_with_the_same_name_and_another_uid_is_another_owner() -> None:
    cluster, collector = await start()
    await owned_pods(cluster)
    await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation="Background")
    await cluster.create(kinds.REPLICATIONCONTROLLER, rc("web"))
    async with cluster.running(collector):
        assert names(cluster) == ["free"]


async def test_deleting_a_controller_deletes_its_pods() -> None:
    cluster, collector = await start()
    manager = ReplicationManager(cluster.resources, cluster.clock, cluster.recorder)
    async with cluster.running(collector, manager):
        await cluster.create(kinds.REPLICATIONCONTROLLER, rc("web", replicas=5))
        await settle()
        assert len(cluster.pods()) == 5
        await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation="Background")
        await settle()
        assert cluster.pods() == []


async def test_a_namespace_is_emptied_and_deleted() -> None:
    cluster = await FakeCluster.make()
    controller = NamespaceController(cluster.resources, cluster.clock)
    await cluster.node("n1")
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    await cluster.create(kinds.CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="c", namespace="shop")))
    made = await cluster.resources.create(controller._caller, kinds.POD, _in_shop(), namespace="shop")
    async with cluster.running(controller):
        await cluster.delete(kinds.NAMESPACE, "shop")
        await settle()
        # The pod's node has not reported its end yet. Until then, the pod may need its config map.
        assert cluster.cache.list(kinds.CONFIGMAP, "shop") != []
        status = cluster.get(kinds.NAMESPACE, "shop").status
        assert status.phase == "Terminating"
        remaining = {condition.type: condition for condition in status.conditions}["NamespaceContentRemaining"]
        assert (remaining.status, remaining.reason) == ("True", "SomeResourcesRemain")
        assert remaining.message == (
            "Some resources are remaining: configmaps. has 1 resource instances, pods. has 1 resource instances"
        )
        await finish_deletion(cluster.resources, controller._caller, "shop", "p", made.metadata.uid)
        await cluster.clock.advance(3)
        assert cluster.get(kinds.NAMESPACE, "shop") is None
        assert cluster.get(kinds.NAMESPACE, "default") is not None


def _in_shop() -> Any:
    made = pod("p", node="n1")
    return replace(made, metadata=replace(made.metadata, namespace="shop"))


async def test_finalizers_that_hold_a_namespace_are_named() -> None:
    cluster = await FakeCluster.make()
    controller = NamespaceController(cluster.resources, cluster.clock)
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    held = ConfigMap(metadata=ObjectMeta(name="c", namespace="shop", finalizers=("example.com/hold",)))
    await cluster.create(kinds.CONFIGMAP, held)

    def conditions() -> dict[str, tuple[str, str]]:
        found = cluster.get(kinds.NAMESPACE, "shop").status.conditions
        return {condition.type: (condition.status, condition.message) for condition in found}

    def released(configmap: ConfigMap) -> ConfigMap:
        return replace(configmap, metadata=replace(configmap.metadata, finalizers=()))

    async with cluster.running(controller):
        await cluster.delete(kinds.NAMESPACE, "shop")
        await cluster.clock.advance(3)
        assert conditions()["NamespaceFinalizersRemaining"] == (
            "True",
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
        )
        assert conditions()["NamespaceDeletionContentFailure"][0] == "False"
        await cluster.resources.mutate(controller._caller, kinds.CONFIGMAP, "shop", "c", released)
        await cluster.clock.advance(3)
        assert cluster.get(kinds.NAMESPACE, "shop") is None


def test_pods_are_deleted_first_and_events_last() -> None:
    first, rest, last = deletion_order(kinds.ALL)
    assert (first, last) == ((kinds.POD,), (kinds.EVENT,))
    assert kinds.SERVICE in rest and kinds.NODE not in rest


async def test_slices_of_a_deleted_service_are_deleted() -> None:
    cluster, collector = await start()
    async with cluster.running(collector, EndpointSliceController(cluster.resources, cluster.clock)):
        await cluster.create(kinds.SERVICE, service("web"))
        await settle()
        assert len(cluster.cache.list(kinds.ENDPOINTSLICE)) == 1
        await cluster.delete(kinds.SERVICE, "web")
        await settle()
        assert cluster.cache.list(kinds.ENDPOINTSLICE) == []


def test_a_condition_shows_the_first_failures_only() -> None:
    failures = [f"pod {number}: refused" for number in range(1000)]
    changed = with_conditions(Namespace(metadata=ObjectMeta(name="gone")), [], failures, "2026-01-01T00:00:00Z")
    assert changed is not None
    (failed,) = (each for each in changed.status.conditions if each.status == "True")
    assert failed.reason == "ContentDeletionFailed"
    assert "1000 remaining: pod 0: refused, " in failed.message
    assert failed.message.endswith("pod 9: refused, ...")
