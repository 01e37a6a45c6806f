"""Replication controllers and replica sets: both controllers against the real pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.api.errors import Unavailable
from master.cache import Cache, Change
from master.component.follow import follow
from master.controllers import keyed
from master.controllers.replicaset import ReplicaSetController
from master.controllers.replication import ReplicationManager
from master.controllers.workload.replicas import RECHECK_S, ReplicaManager
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.writes import bind
from master.objects.meta import LabelSelector, LabelSelectorRequirement, OwnerReference
from master.registry.resource import Resource
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, rc, rs, seconds_ago
from tests.fakes.sessions import CALLER


@dataclass(frozen=True)
class Form:
    """A kind that keeps a number of pods, its controller, and a function that makes an object."""

    kind: Resource[Any]
    manager: type[ReplicationManager] | type[ReplicaSetController]
    make: Callable[..., Any]


FORMS = (
    Form(kinds.REPLICATIONCONTROLLER, ReplicationManager, rc),
    Form(kinds.REPLICASET, ReplicaSetController, rs),
)


@pytest.fixture(params=FORMS, ids=lambda form: form.kind.kind)
def form(request: pytest.FixtureRequest) -> Form:
    result: Form = request.param
    return result


async def start(form: Form) -> tuple[FakeCluster, ReplicaManager]:
    cluster = await FakeCluster.make()
    return cluster, form.manager(cluster.resources, cluster.clock, cluster.recorder)


async def scale(cluster: FakeCluster, form: Form, count: int) -> None:
    await cluster.change(form.kind, "web", lambda old: replace(old, spec=replace(old.spec, replicas=count)))
    await settle()


async def test_it_creates_exactly_the_desired_number_of_pods_and_owns_them(form: Form) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=20))
        await settle(300)
        pods = cluster.pods()
        assert len(pods) == 20
        assert {p.metadata.owner_references[0].uid for p in pods} == {cluster.get(form.kind, "web").metadata.uid}
        assert all(p.metadata.name.startswith("web-") and p.metadata.labels == {"app": "web"} for p in pods)
        status = cluster.get(form.kind, "web").status
        assert (status.replicas, status.fully_labeled_replicas, status.ready_replicas) == (20, 20, 0)
        assert status.observed_generation == 1
        assert len(cluster.events("SuccessfulCreate")) == 20


async def test_a_pod_whose_life_was_too_short_to_be_seen_is_replaced(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The creation and the deletion of an object that the follower has not taken yet cancel each other out."""

    async def without_pods(cache: Cache, watched: Any, *, begin: Any, change: Any) -> None:
        def seen(item: Change) -> None:
            if item.kind is not kinds.POD:
                change(item)

        await follow(cache, watched, begin=begin, change=seen)

    monkeypatch.setattr(keyed, "follow", without_pods)
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=1))
        await settle(300)
        (made,) = cluster.pods()
        await cluster.resources.delete(CALLER, kinds.POD, "default", made.metadata.name)
        await settle(300)
        assert cluster.pods() == []
        await cluster.clock.advance(RECHECK_S)
        await settle(300)
        assert len(cluster.pods()) == 1


async def refuse(cluster: FakeCluster) -> None:
    """The nodes refuse all pods that have not failed yet."""
    for made in cluster.pods():
        if made.status.phase != "Failed":
            failed = replace(made.status, phase="Failed", reason="SysctlForbidden")
            await cluster.change(
                kinds.POD, made.metadata.name, lambda old, to=failed: replace(old, status=to), subresource="status"
            )
    await settle(300)


async def test_pods_that_their_nodes_refuse_are_replaced_after_a_pause_that_grows(form: Form) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=1))
        await settle(300)
        for number, pause_s in enumerate((10, 20, 40), start=1):
            await refuse(cluster)
            assert len(cluster.pods()) == number
            await cluster.clock.advance(pause_s / 2)
            await settle(300)
            assert len(cluster.pods()) == number
            await cluster.clock.advance(pause_s / 2)
            await settle(300)
            assert len(cluster.pods()) == number + 1


async def test_deleting_the_refused_pods_ends_the_pause(form: Form) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=1))
        await settle(300)
        await refuse(cluster)
        (refused,) = cluster.pods()
        await cluster.delete(kinds.POD, refused.metadata.name)
        await settle(300)
        (fresh,) = cluster.pods()
        assert fresh.status.phase == "Pending"


async def test_status_follows_readiness(form: Form) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=2, min_ready_seconds=10))
        await settle()
        name = cluster.pods()[0].metadata.name
        await cluster.pod_status(name, ready=True, since=seconds_ago(cluster.clock, 0))
        await settle()
        assert (
            cluster.get(form.kind, "web").status.ready_replicas,
            cluster.get(form.kind, "web").status.available_replicas,
        ) == (1, 0)
        await cluster.clock.advance(11)
        assert cluster.get(form.kind, "web").status.available_replicas == 1


def labelled(label: str, old: Any) -> Any:
    return replace(old, metadata=replace(old.metadata, labels={"changed": label}))


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "back"])
async def test_a_pod_becomes_available_in_time_although_the_clock_is_set(form: Form, ahead: timedelta) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=1, min_ready_seconds=60))
        await settle()
        await cluster.pod_status(cluster.pods()[0].metadata.name, ready=True, since=seconds_ago(cluster.clock, 0))
        await settle()
        cluster.clock.ahead = ahead
        available: list[int] = []
        for label in "abcd":
            await cluster.clock.advance(25)
            # Another change of the object, at which it is looked at again.
            await cluster.change(form.kind, "web", partial(labelled, label))
            await settle()
            available.append(cluster.get(form.kind, "web").status.available_replicas)
        assert available == [0, 0, 1, 1]


async def test_scaling_down_deletes_the_least_useful_pods(form: Form) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=3))
        await settle()
        keep = cluster.pods()[1].metadata.name
        await cluster.pod_status(keep, ready=True)
        await scale(cluster, form, 1)
        assert [p.metadata.name for p in cluster.pods()] == [keep]
        assert len(cluster.events("SuccessfulDelete")) == 2
        assert cluster.get(form.kind, "web").status.observed_generation == 2


async def test_terminating_and_failed_pods_are_replaced(form: Form) -> None:
    cluster, manager = await start(form)
    await cluster.node("n1")
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=2))
        await settle()
        first, second = (p.metadata.name for p in cluster.pods())
        await bind(cluster.resources, manager._caller, "default", first, "n1")
        await cluster.delete(kinds.POD, first)
        await cluster.pod_status(second, phase="Failed", ready=False)
        await settle()
        assert len(cluster.pods()) == 4
        assert cluster.get(kinds.POD, first).metadata.deletion_timestamp
        assert cluster.get(form.kind, "web").status.replicas == 2


async def test_orphans_are_adopted_and_strays_released(form: Form) -> None:
    cluster, manager = await start(form)
    await cluster.pod("orphan", labels={"app": "web"})
    await cluster.pod("of-another-owner", labels={"app": "web"}, owner=OTHER)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=1))
        await settle()
        owner = cluster.get(kinds.POD, "orphan").metadata.owner_references[0]
        assert (owner.uid, owner.controller) == (cluster.get(form.kind, "web").metadata.uid, True)
        assert len(cluster.pods()) == 2

        def relabelled(old: Pod) -> Pod:
            return replace(old, metadata=replace(old.metadata, labels={"app": "debug"}))

        await cluster.change(kinds.POD, "orphan", relabelled)
        await settle()
        assert cluster.get(kinds.POD, "orphan").metadata.owner_references == ()
        assert len(cluster.pods()) == 3


OTHER = OwnerReference(api_version="v1", kind="ReplicationController", name="other", uid="1234", controller=True)


async def test_a_refused_creation_records_an_event_and_is_retried(form: Form) -> None:
    cluster, manager = await start(form)
    create = cluster.resources.create

    async def refuse(caller: object, kind: object, obj: object, **values: str) -> object:
        if kind is kinds.POD:
            raise Unavailable("no room")
        return await create(caller, kind, obj, **values)  # type: ignore[arg-type]

    async with cluster.running(manager):
        cluster.resources.create = refuse  # type: ignore[method-assign, assignment]
        await cluster.create(form.kind, form.make("web", replicas=5))
        await settle()
        # Creations start with one pod: only that one was tried.
        (event,) = cluster.events("FailedCreate")
        assert (event.type, event.message) == ("Warning", "Error creating: no room")
        (condition,) = cluster.get(form.kind, "web").status.conditions
        assert (condition.type, condition.reason) == ("ReplicaFailure", "FailedCreate")
        cluster.resources.create = create  # type: ignore[method-assign]
        await cluster.clock.advance(1)
        assert len(cluster.pods()) == 5
        assert cluster.get(form.kind, "web").status.conditions == ()


async def test_no_pods_are_created_for_a_controller_that_is_being_deleted(form: Form) -> None:
    cluster, manager = await start(form)
    async with cluster.running(manager):
        await cluster.create(form.kind, form.make("web", replicas=1))
        await settle()
        await cluster.delete(form.kind, "web", propagation="Orphan")
        await cluster.delete(kinds.POD, cluster.pods()[0].metadata.name)
        await settle()
        assert cluster.pods() == []


@pytest.mark.parametrize(
    ("expression", "adopted"),
    [
        pytest.param(("app", "In", ("web", "shop")), True, id="one of several labels"),
        pytest.param(("tier", "NotIn", ("test",)), True, id="without a label"),
        pytest.param(("tier", "Exists", ()), False, id="another label"),
    ],
)
async def test_a_selector_with_expressions_adopts_what_it_matches(
    expression: tuple[str, str, tuple[str, ...]], adopted: bool
) -> None:
    cluster, manager = await start(FORMS[1])
    key, operator, values = expression
    labels = {"app": "web"} if adopted else {"app": "web", "tier": "front"}
    made = rs("web", replicas=2)
    template = replace(made.spec.template, metadata=replace(made.spec.template.metadata, labels=labels))
    condition = LabelSelectorRequirement(key=key, operator=operator, values=values)
    selector = LabelSelector(match_expressions=(condition,))
    async with cluster.running(manager):
        await cluster.create(
            kinds.REPLICASET, replace(made, spec=replace(made.spec, selector=selector, template=template))
        )
        await cluster.pod("orphan", labels={"app": "web"})
        await settle()
        assert len(cluster.pods()) == (2 if adopted else 3)
        assert bool(cluster.get(kinds.POD, "orphan").metadata.owner_references) is adopted


async def test_a_replica_set_counts_terminating_pods_apart() -> None:
    cluster, manager = await start(FORMS[1])
    await cluster.node("n1")
    async with cluster.running(manager):
        await cluster.create(kinds.REPLICASET, rs("web", replicas=2))
        await settle()
        first = cluster.pods()[0].metadata.name
        await bind(cluster.resources, manager._caller, "default", first, "n1")
        await cluster.delete(kinds.POD, first)
        await settle()
        status = cluster.get(kinds.REPLICASET, "web").status
        assert (status.replicas, status.terminating_replicas) == (2, 1)


async def test_of_a_deployments_pods_those_go_first_whose_node_has_the_most() -> None:
    cluster, manager = await start(FORMS[1])
    owner = OwnerReference(api_version="apps/v1", kind="Deployment", name="d", uid="d1", controller=True)
    old, new = (
        replace(made, metadata=replace(made.metadata, owner_references=(owner,))) for made in (rs("o"), rs("n"))
    )
    new = replace(
        new,
        spec=replace(
            new.spec,
            replicas=2,
            selector=LabelSelector(match_labels={"app": "new"}),
            template=replace(new.spec.template, metadata=replace(new.spec.template.metadata, labels={"app": "new"})),
        ),
    )
    for node in ("n1", "n2"):
        await cluster.node(node)
    async with cluster.running(manager):
        await cluster.create(kinds.REPLICASET, old)
        await cluster.create(kinds.REPLICASET, new)
        await settle()
        pods = {pod.metadata.name: pod.metadata.labels["app"] for pod in cluster.pods()}
        nodes = iter(("n1", "n2"))
        for name, app in pods.items():
            await bind(cluster.resources, manager._caller, "default", name, "n1" if app == "web" else next(nodes))
            await cluster.pod_status(name, ready=True)
        await settle()
        await cluster.change(kinds.REPLICASET, "n", lambda found: replace(found, spec=replace(found.spec, replicas=1)))
        await settle()
        left = [
            pod for pod in cluster.pods() if pod.metadata.labels["app"] == "new" and not pod.metadata.deletion_timestamp
        ]
        assert [pod.spec.node_name for pod in left] == ["n2"]
