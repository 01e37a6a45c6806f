"""EndpointSlices that mirror written Endpoints: grouping as a table, and the controller against the real pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.controllers import mirrors
from master.controllers.slicemirroring import SliceMirroringController
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import ObjectMeta
from tests.fakes.clock import settle
from tests.fakes.cluster import CALLER, FakeCluster, service

HTTP, DNS = EndpointPort(name="http", port=80), EndpointPort(name="dns", port=53, protocol="UDP")


def subset(*ips: str, ports: tuple[EndpointPort, ...] = (HTTP,), unready: tuple[str, ...] = ()) -> EndpointSubset:
    return EndpointSubset(
        addresses=tuple(EndpointAddress(ip=ip) for ip in ips),
        not_ready_addresses=tuple(EndpointAddress(ip=ip) for ip in unready),
        ports=ports,
    )


def written(*subsets: EndpointSubset, **meta: Any) -> Endpoints:
    return Endpoints(metadata=ObjectMeta(name="web", namespace="default", **meta), subsets=subsets)


def content(piece: EndpointSlice) -> tuple[str, list[int | None], dict[str, bool | None]]:
    ready = {each.addresses[0]: each.conditions.ready for each in piece.endpoints}
    return piece.address_type, [port.port for port in piece.ports], ready


@pytest.mark.parametrize(
    ("subsets", "pieces"),
    [
        pytest.param((), [], id="nothing"),
        pytest.param((subset("nowhere", "10.1.0.1"),), [("IPv4", [80], {"10.1.0.1": True})], id="no address"),
        pytest.param(
            (subset("10.1.0.1", unready=("10.1.0.2",)),),
            [("IPv4", [80], {"10.1.0.1": True, "10.1.0.2": False})],
            id="not ready",
        ),
        pytest.param(
            (subset("10.1.0.1", "fd00::1"),),
            [("IPv4", [80], {"10.1.0.1": True}), ("IPv6", [80], {"fd00::1": True})],
            id="families",
        ),
        pytest.param(
            (subset("10.1.0.1"), subset("10.1.0.2", ports=(DNS,))),
            [("IPv4", [53], {"10.1.0.2": True}), ("IPv4", [80], {"10.1.0.1": True})],
            id="ports",
        ),
        pytest.param(
            (subset("10.1.0.1"), subset("10.1.0.1", ports=(DNS,))),
            [("IPv4", [80, 53], {"10.1.0.1": True})],
            id="one address in two subsets",
        ),
        pytest.param(
            (subset("10.1.0.1"), subset("10.1.0.1", "10.1.0.2")),
            [("IPv4", [80], {"10.1.0.1": True, "10.1.0.2": True})],
            id="one address twice",
        ),
    ],
)
def test_one_slice_for_each_set_of_ports_and_family(
    subsets: tuple[EndpointSubset, ...], pieces: list[tuple[str, list[int], dict[str, bool]]]
) -> None:
    plan = mirrors.mirror(written(*subsets), ())
    assert sorted(map(content, plan.create), key=str) == pieces
    assert mirrors.mirror(written(*subsets), plan.create) == mirrors.Plan()


def test_at_most_a_thousand_addresses_are_mirrored() -> None:
    [piece] = mirrors.mirror(written(subset(*(f"10.1.{n // 250}.{n % 250 + 1}" for n in range(1001)))), ()).create
    assert len(piece.endpoints) == 1000


def test_a_slice_copies_labels_and_annotations() -> None:
    annotations = {"c": "d", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    [piece] = mirrors.mirror(written(subset("10.1.0.1"), labels={"a": "b"}, annotations=annotations), ()).create
    assert piece.metadata.annotations == {"c": "d"}
    assert piece.metadata.labels == {
        "a": "b",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert [(owner.kind, owner.name) for owner in piece.metadata.owner_references] == [("Endpoints", "web")]


def addresses(cluster: FakeCluster) -> list[str]:
    return sorted(e.addresses[0] for piece in cluster.cache.list(kinds.ENDPOINTSLICE) for e in piece.endpoints)


async def test_slices_follow_written_endpoints() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running(SliceMirroringController(cluster.resources, cluster.clock)):
        stored = await cluster.create(kinds.ENDPOINTS, written(subset("10.1.0.1")))
        await settle()
        assert addresses(cluster) == [], "there is no service yet"
        await cluster.create(kinds.SERVICE, service("web", app=""))
        await settle()
        [first] = cluster.cache.list(kinds.ENDPOINTSLICE)
        changed = replace(stored, subsets=(subset("10.1.0.2", "10.1.0.3"),))
        await cluster.resources.update(CALLER, kinds.ENDPOINTS, changed)
        await settle()
        [second] = cluster.cache.list(kinds.ENDPOINTSLICE)
        assert (second.metadata.uid, addresses(cluster)) == (first.metadata.uid, ["10.1.0.2", "10.1.0.3"])
        await cluster.delete(kinds.ENDPOINTSLICE, second.metadata.name)
        await settle()
        assert addresses(cluster) == ["10.1.0.2", "10.1.0.3"], "a deleted slice is made again"
        await cluster.delete(kinds.ENDPOINTS, "web")
        await settle()
        assert addresses(cluster) == []


@pytest.mark.parametrize(
    ("app", "meta"),
    [
        pytest.param("web", {}, id="the service has a selector"),
        pytest.param("", {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}, id="asked not to"),
        pytest.param("", {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}}, id="election"),
    ],
)
async def test_endpoints_that_are_not_mirrored(app: str, meta: dict[str, dict[str, str]]) -> None:
    cluster = await FakeCluster.make()
    async with cluster.running(SliceMirroringController(cluster.resources, cluster.clock)):
        await cluster.create(kinds.SERVICE, service("web", app=app))
        await cluster.create(kinds.ENDPOINTS, written(subset("10.1.0.1"), **meta))
        await settle()
        assert addresses(cluster) == []
