"""Endpoints and EndpointSlices: ports and distribution as tables, and the controllers against the real pipeline."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from master import kinds
from master.controllers import slices
from master.controllers.backends import Backend, BackendPort, backends, resolve
from master.controllers.endpoints import EndpointsController, subsets
from master.controllers.endpointslice import EndpointSliceController
from master.kinds.core.pod.container import Container, ContainerPort
from master.kinds.core.pod.model import Pod
from master.kinds.core.service.model import ServicePort
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import ObjectMeta
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, pod, service

WEB = {"app": "web"}
NAMED = pod(
    "web",
    ports=(
        ContainerPort(name="http", container_port=8080),
        ContainerPort(name="dns", container_port=53, protocol="UDP"),
    ),
)
_INIT = (
    Container(name="proxy", restart_policy="Always", ports=(ContainerPort(name="metrics", container_port=9090),)),
    Container(name="setup", ports=(ContainerPort(name="setup", container_port=9091),)),
)
NAMED = replace(NAMED, spec=replace(NAMED.spec, init_containers=_INIT))


@pytest.mark.parametrize(
    ("port", "number"),
    [
        pytest.param(ServicePort(port=80), 80, id="no target: the same"),
        pytest.param(ServicePort(port=80, target_port=8080), 8080, id="number"),
        pytest.param(ServicePort(port=80, target_port="http"), 8080, id="name"),
        pytest.param(ServicePort(port=53, target_port="dns", protocol="UDP"), 53, id="name of a UDP port"),
        pytest.param(ServicePort(port=53, target_port="dns"), None, id="name with the other protocol"),
        pytest.param(ServicePort(port=80, target_port="nope"), None, id="no such name"),
        pytest.param(ServicePort(port=80, target_port="8080"), 8080, id="number as text"),
        pytest.param(ServicePort(port=80, target_port="metrics"), 9090, id="name of a sidecar's port"),
        pytest.param(ServicePort(port=80, target_port="setup"), None, id="name of an init container's port"),
    ],
)
def test_target_ports(port: ServicePort, number: int | None) -> None:
    assert resolve(port, NAMED) == number


def with_uid(made: Pod, **meta: str) -> Pod:
    return replace(made, metadata=replace(made.metadata, uid=made.metadata.name, **meta))


def test_which_pods_are_backends_of_a_service() -> None:
    pods = [
        with_uid(pod("ready", labels=WEB, ready=True, ip="10.1.0.2")),
        with_uid(pod("unready", labels=WEB, phase="Running", ip="10.1.0.3")),
        with_uid(pod("leaving", labels=WEB, ready=True, ip="10.1.0.4"), deletion_timestamp="2026-01-01T00:00:00Z"),
        with_uid(pod("no-address", labels=WEB, ready=True)),
        with_uid(pod("ended", labels=WEB, phase="Succeeded", ip="10.1.0.5")),
        with_uid(pod("other", labels={"app": "db"}, ready=True, ip="10.1.0.6")),
    ]
    current = backends(service("web"), pods)
    assert [(b.name, b.ready, b.serving, b.terminating) for b in current] == [
        ("ready", True, True, False),
        ("unready", False, False, False),
        ("leaving", False, True, True),
    ]
    (subset,) = subsets(current)
    assert [a.ip for a in subset.addresses] == ["10.1.0.2"]
    assert [a.ip for a in subset.not_ready_addresses] == ["10.1.0.3"]


def test_pods_that_resolve_a_port_name_differently_get_separate_subsets() -> None:
    def listening(name: str, ip: str, port: int) -> Pod:
        ports = (ContainerPort(name="http", container_port=port),)
        return with_uid(pod(name, labels=WEB, ready=True, ip=ip, ports=ports))

    svc = service("web", ports=(ServicePort(name="http", port=80, target_port="http"),))
    by_ports = subsets(backends(svc, [listening("a", "10.1.0.2", 8080), listening("b", "10.1.0.3", 9090)]))
    assert [(s.ports[0].port, s.addresses[0].ip) for s in by_ports] == [(8080, "10.1.0.2"), (9090, "10.1.0.3")]


def backend(number: int, *, ready: bool = True) -> Backend:
    return Backend(
        ip=f"10.1.{number // 250}.{number % 250 + 1}",
        uid=f"uid-{number}",
        namespace="default",
        name=f"web-{number}",
        node_name="n1",
        hostname="",
        ports=(BackendPort("", 80, "TCP"),),
        ready=ready,
        serving=ready,
        terminating=False,
    )


def uids(pieces: tuple[EndpointSlice, ...]) -> list[int]:
    return [len(piece.endpoints) for piece in pieces]


SERVICE = replace(service("web"), metadata=ObjectMeta(name="web", namespace="default", uid="svc"))


def test_slices_hold_at_most_a_hundred_endpoints() -> None:
    todo = slices.plan(SERVICE, [backend(i) for i in range(250)], [])
    assert uids(todo.create) == [100, 100, 50]
    assert len({piece.metadata.name for piece in todo.create}) == 3
    assert all(piece.metadata.name.startswith("web-") for piece in todo.create)
    labels = todo.create[0].metadata.labels
    assert labels["kubernetes.io/service-name"] == "web"
    assert labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert todo.create[0].metadata.owner_references[0].uid == "svc"


def test_one_change_updates_one_slice() -> None:
    all_of_them = [backend(i) for i in range(250)]
    stored = slices.plan(SERVICE, all_of_them, []).create
    changed = [backend(7, ready=False) if b.uid == "uid-7" else b for b in all_of_them]
    todo = slices.plan(SERVICE, changed, stored)
    assert (todo.create, uids(todo.update), todo.delete) == ((), [100], ())


def test_new_endpoints_fill_free_places_and_empty_slices_are_deleted() -> None:
    stored = slices.plan(SERVICE, [backend(i) for i in range(150)], []).create
    fewer = [backend(i) for i in range(100)]
    todo = slices.plan(SERVICE, fewer, stored)
    assert uids(todo.delete) == [50]
    more = [backend(i) for i in range(99)] + [backend(i) for i in range(200, 202)]
    todo = slices.plan(SERVICE, more, stored)
    assert (todo.create, sorted(uids(todo.update)), todo.delete) == ((), [1, 100], ())


def test_a_service_without_backends_has_one_empty_slice() -> None:
    todo = slices.plan(SERVICE, [], [])
    assert uids(todo.create) == [0]
    again = slices.plan(SERVICE, [], todo.create)
    assert again == slices.Plan()


async def start() -> tuple[FakeCluster, EndpointsController, EndpointSliceController]:
    cluster = await FakeCluster.make()
    return (
        cluster,
        EndpointsController(cluster.resources, cluster.clock),
        EndpointSliceController(cluster.resources, cluster.clock),
    )


def ready_addresses(cluster: FakeCluster, name: str = "web") -> list[str]:
    stored = cluster.get(kinds.ENDPOINTS, name)
    return [address.ip for subset in stored.subsets for address in subset.addresses]


def sliced_addresses(cluster: FakeCluster) -> list[str]:
    pieces = cluster.cache.list(kinds.ENDPOINTSLICE)
    return sorted(e.addresses[0] for piece in pieces for e in piece.endpoints if e.conditions.ready)


async def test_endpoints_follow_the_pods() -> None:
    cluster, endpoints, pieces = await start()
    await cluster.node("n1")
    async with cluster.running(endpoints, pieces):
        await cluster.create(kinds.SERVICE, service("web"))
        await settle()
        assert cluster.get(kinds.ENDPOINTS, "web").subsets == ()
        await cluster.pod("a", labels=WEB, node="n1")
        await cluster.pod_status("a", ready=True, ip="10.1.0.2")
        await settle()
        assert ready_addresses(cluster) == sliced_addresses(cluster) == ["10.1.0.2"]
        target = cluster.get(kinds.ENDPOINTS, "web").subsets[0].addresses[0].target_ref
        assert (target.kind, target.name) == ("Pod", "a")
        await cluster.pod_status("a", ready=False, ip="10.1.0.2")
        await settle()
        assert ready_addresses(cluster) == sliced_addresses(cluster) == []
        await cluster.pod_status("a", ready=True, ip="10.1.0.2")
        await settle()
        await cluster.delete(kinds.POD, "a")
        await settle()
        assert ready_addresses(cluster) == sliced_addresses(cluster) == []


async def test_endpoints_written_by_people_for_a_service_without_selector_stay() -> None:
    cluster, endpoints, pieces = await start()
    async with cluster.running(endpoints, pieces):
        await cluster.create(kinds.SERVICE, service("manual", app=""))
        by_hand = kinds.ENDPOINTS.schema.model(metadata=ObjectMeta(name="manual", namespace="default"))
        version = (await cluster.create(kinds.ENDPOINTS, by_hand)).metadata.resource_version
        await settle()
        assert cluster.get(kinds.ENDPOINTS, "manual").metadata.resource_version == version
        assert cluster.cache.list(kinds.ENDPOINTSLICE) == []


async def test_endpoints_are_deleted_with_their_service() -> None:
    cluster, endpoints, _ = await start()
    async with cluster.running(endpoints):
        await cluster.create(kinds.SERVICE, service("web"))
        await settle()
        await cluster.delete(kinds.SERVICE, "web")
        await settle()
        assert cluster.get(kinds.ENDPOINTS, "web") is None


async def test_endpoints_deleted_by_hand_are_created_again() -> None:
    cluster, endpoints, pieces = await start()
    async with cluster.running(endpoints, pieces):
        await cluster.create(kinds.SERVICE, service("web"))
        await settle()
        await cluster.delete(kinds.ENDPOINTS, "web")
        await cluster.delete(kinds.ENDPOINTSLICE, cluster.cache.list(kinds.ENDPOINTSLICE)[0].metadata.name)
        await settle()
        assert cluster.get(kinds.ENDPOINTS, "web") is not None
        assert len(cluster.cache.list(kinds.ENDPOINTSLICE)) == 1


async def test_an_unchanged_state_is_not_written_again() -> None:
    cluster, endpoints, pieces = await start()
    async with cluster.running(endpoints, pieces):
        await cluster.create(
            kinds.SERVICE, service("web", ports=(ServicePort(name="http", port=80), ServicePort(name="b", port=81)))
        )
        await cluster.pod("a", labels=WEB, node="n1", ready=True, ip="10.1.0.2")
        await settle()
        revision = cluster.cache.revision
        await cluster.clock.advance(10)
        assert cluster.cache.revision == revision


async def test_endpoints_without_a_service_stay() -> None:
    cluster, endpoints, _ = await start()
    async with cluster.running(endpoints):
        by_hand = kinds.ENDPOINTS.schema.model(metadata=ObjectMeta(name="lonely", namespace="default"))
        await cluster.create(kinds.ENDPOINTS, by_hand)
        await settle()
        assert cluster.get(kinds.ENDPOINTS, "lonely") is not None
        await cluster.create(kinds.SERVICE, service("lonely", app=""))
        await settle()
        await cluster.delete(kinds.SERVICE, "lonely")
        await settle()
        assert cluster.get(kinds.ENDPOINTS, "lonely") is None
