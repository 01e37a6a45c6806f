"""Cluster IPs are close together, and a freed one is not reused while others are free for longer."""

from __future__ import annotations

import ipaddress
import random
from ipaddress import IPv4Network

import pytest

from master.api.errors import Invalid
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import SERVICE
from master.kinds.core.service.addresses import ClusterAddresses
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta

NETWORK = IPv4Network("10.96.0.0/16")


def block(address: str) -> int:
    return (int(ipaddress.IPv4Address(address)) - int(NETWORK.network_address)) // 64


def test_addresses_fill_the_lowest_blocks() -> None:
    addresses, held = ClusterAddresses(NETWORK), set[str]()
    for _ in range(1000):
        address = addresses.next(held.__contains__)
        assert address is not None and address not in held
        held.add(address)
    assert len({block(address) for address in held}) <= 1000 // 64 + 2
    assert not held & {"10.96.0.0", "10.96.0.1", "10.96.0.10"}


def test_changing_services_use_few_blocks_and_do_not_reuse_addresses_at_once() -> None:
    addresses, rng = ClusterAddresses(NETWORK), random.Random(1)
    held: list[str] = []
    freed: dict[str, int] = {}
    for step in range(2000):
        if len(held) > 20:
            address_freed = held.pop(rng.randrange(len(held)))
            freed[address_freed] = step
        address = addresses.next(held.__contains__)
        assert address is not None
        assert step - freed.get(address, -1000) >= 8, "reused too early"
        held.append(address)
    assert {block(address) for address in held} <= {0, 1}


@pytest.mark.parametrize(("prefix", "count"), [(24, 252), (28, 12), (29, 5), (30, 1)])
def test_all_addresses_of_a_range_are_allocated_and_then_none(prefix: int, count: int) -> None:
    addresses, held = ClusterAddresses(IPv4Network(f"10.96.0.0/{prefix}")), set[str]()
    while (address := addresses.next(held.__contains__)) is not None:
        held.add(address)
    assert len(held) == count


async def test_the_first_address_is_reserved_for_the_kubernetes_service(resources: Resources, me: Caller) -> None:
    await resources.delete(me, SERVICE, "default", "kubernetes")
    spec = ServiceSpec(cluster_ip="10.96.0.1", ports=(ServicePort(port=80),))
    with pytest.raises(Invalid, match="reserved for the kubernetes service"):
        await resources.create(me, SERVICE, Service(metadata=ObjectMeta(name="thief", namespace="default"), spec=spec))


async def test_a_service_can_request_its_address_in_cluster_ips_only(resources: Resources, me: Caller) -> None:
    spec = ServiceSpec(cluster_ips=("10.96.0.77",), ports=(ServicePort(port=80),))
    made = await resources.create(me, SERVICE, Service(metadata=ObjectMeta(name="s", namespace="default"), spec=spec))
    assert made.spec.cluster_ip == "10.96.0.77"
