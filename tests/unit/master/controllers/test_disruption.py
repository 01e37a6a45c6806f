"""Budgets: the counts as a table, and the controller against the real pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.component.podstate import PodState, state_of
from master.controllers.disruption import Count, DisruptionController, count
from master.objects.meta import Object, ObjectMeta, OwnerReference
from master.schema.data import Untyped
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, deployment, pod, rs

WEB = {"app": "web"}


async def pods(ready: int, other: int) -> list[PodState]:
    cluster = await FakeCluster.make()
    await cluster.node("n1")
    for number in range(ready + other):
        await cluster.pod(f"p{number}", labels=WEB, node="n1")
        await cluster.pod_status(f"p{number}", ready=number < ready, ip=f"10.1.0.{number + 2}")
    return [state_of(entry) for entry in cluster.cache.entries(kinds.POD)]


@pytest.mark.parametrize(
    ("spec", "scale", "expected", "allowed"),
    [
        pytest.param({"minAvailable": 1}, None, Count(4, 3, 1), 2, id="number"),
        pytest.param({"minAvailable": 5}, None, Count(4, 3, 5), 0, id="more than there are"),
        pytest.param({"minAvailable": "50%"}, 5, Count(5, 3, 3), 0, id="percent of what should be there, rounded up"),
        pytest.param({"minAvailable": "50%"}, None, None, 0, id="percent of an unknown number"),
        pytest.param({"maxUnavailable": 2}, 4, Count(4, 3, 2), 1, id="unavailable"),
        pytest.param({"maxUnavailable": "100%"}, 4, Count(4, 3, 0), 3, id="all"),
        pytest.param({"maxUnavailable": 9}, 4, Count(4, 3, 0), 3, id="more unavailable than there are"),
        pytest.param({"maxUnavailable": 1}, 0, Count(0, 3, 0), 0, id="no controller"),
        pytest.param({}, None, Count(4, 3, 0), 3, id="no limit"),
    ],
)
async def test_how_many_pods_may_be_evicted(
    spec: dict[str, Any], scale: int | None, expected: Count | None, allowed: int
) -> None:
    counted = count(spec, await pods(3, 1), scale)
    assert counted == expected
    assert counted is None or counted.allowed == allowed


def status(cluster: FakeCluster, *names: str) -> list[Any]:
    stored = cluster.cache.get(kinds.PODDISRUPTIONBUDGET, "default", "web")
    assert stored is not None
    return [stored.status[name] for name in names]


@pytest.mark.parametrize("selector", [{"matchLabels": WEB}, {}], ids=["labels", "all"])
async def test_the_status_follows_the_pods(selector: dict[str, Any]) -> None:
    cluster = await FakeCluster.make()
    await cluster.node("n1")
    async with cluster.running(DisruptionController(cluster.resources, cluster.clock)):
        meta = ObjectMeta(name="web", namespace="default")
        budget = Untyped(metadata=meta, content={"spec": {"minAvailable": 1, "selector": selector}})
        await cluster.create(kinds.PODDISRUPTIONBUDGET, budget)
        await settle()
        assert status(cluster, "expectedPods", "disruptionsAllowed", "observedGeneration") == [0, 0, 1]
        [[condition]] = status(cluster, "conditions")
        assert (condition["type"], condition["status"], condition["reason"]) == (
            "DisruptionAllowed",
            "False",
            "InsufficientPods",
        )
        for number in range(2):
            await cluster.pod(f"p{number}", labels=WEB, node="n1")
            await cluster.pod_status(f"p{number}", ready=True, ip=f"10.1.0.{number + 2}")
        await settle()
        assert status(cluster, "expectedPods", "currentHealthy", "disruptionsAllowed") == [2, 2, 1]
        [[condition]] = status(cluster, "conditions")
        assert (condition["status"], condition["reason"]) == ("True", "SufficientPods")
        await cluster.pod_status("p0", ready=False, ip="10.1.0.2")
        await settle()
        assert status(cluster, "currentHealthy", "disruptionsAllowed") == [1, 0]


def owned_by(owner: Object) -> OwnerReference:
    meta = owner.metadata
    return OwnerReference(api_version=owner.api_version, kind=owner.kind, name=meta.name, uid=meta.uid, controller=True)


@pytest.mark.parametrize("level", ["none", "replica set", "deployment", "gone"])
async def test_how_many_pods_should_be_there_is_a_matter_of_their_controller(level: str) -> None:
    cluster = await FakeCluster.make()
    await cluster.node("n1")
    top = await cluster.create(kinds.DEPLOYMENT, deployment("web", replicas=8))
    template = rs("web-1", replicas=5)
    if level == "deployment":
        template = replace(template, metadata=replace(template.metadata, owner_references=(owned_by(top),)))
    owner = owned_by(await cluster.create(kinds.REPLICASET, template))
    if level == "gone":
        owner = replace(owner, uid="another")
    made = pod("p", labels=WEB, node="n1", owner=None if level == "none" else owner)
    await cluster.create(kinds.POD, made)
    async with cluster.running(DisruptionController(cluster.resources, cluster.clock)):
        meta = ObjectMeta(name="web", namespace="default")
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": WEB}}
        await cluster.create(kinds.PODDISRUPTIONBUDGET, Untyped(metadata=meta, content={"spec": spec}))
        await settle()
        [[condition]] = status(cluster, "conditions")
        if level == "gone":
            assert (condition["reason"], *status(cluster, "disruptionsAllowed")) == ("SyncFailed", 0)
        else:
            assert status(cluster, "expectedPods") == [{"none": 0, "replica set": 5, "deployment": 8}[level]]
