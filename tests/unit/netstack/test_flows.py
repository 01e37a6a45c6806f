"""Which conntrack entries are forgotten when endpoints change."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from netstack import changes as c
from netstack.desired import Endpoint, NetworkState, ServicePort
from netstack.fake import FakeKernel
from netstack.node import NodeNetwork
from netstack.services.flows import Flow
from netstack.state import Address
from tests.unit.netstack.contract import NODE_ADDRESS, settings

CLUSTER_IP, POD, OTHER = IPv4Address("10.96.0.10"), IPv4Address("10.244.1.2"), IPv4Address("10.244.2.7")
WORLD = IPv4Address("192.0.2.1")


def dns(*endpoints: IPv4Address, protocol: str = "UDP") -> NetworkState:
    port = ServicePort(
        "default/dns:dns", protocol, CLUSTER_IP, 53, 31053, tuple(Endpoint(address, 5353) for address in endpoints)
    )
    return NetworkState(services=(port, UNCHANGED))


def flow(destination: IPv4Address, port: int, server: IPv4Address, server_port: int, protocol: str = "udp") -> Flow:
    return Flow(protocol, destination, port, server, server_port)


UNCHANGED = ServicePort("default/other:dns", "UDP", IPv4Address("10.96.0.11"), 53, 0, (Endpoint(OTHER, 5353),))


THROUGH_IP = flow(CLUSTER_IP, 53, POD, 5353)
THROUGH_PORT = flow(NODE_ADDRESS.ip, 31053, POD, 5353)
UNANSWERED = flow(NODE_ADDRESS.ip, 31053, NODE_ADDRESS.ip, 31053)
DIRECT = flow(POD, 5353, POD, 5353)
ELSEWHERE = flow(WORLD, 31053, WORLD, 31053)
OF_ANOTHER = flow(UNCHANGED.cluster_ip, 53, POD, 5353)
ALL = [THROUGH_IP, THROUGH_PORT, UNANSWERED, DIRECT, ELSEWHERE, OF_ANOTHER]
REST = [DIRECT, ELSEWHERE, OF_ANOTHER]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        pytest.param(dns(POD), dns(OTHER), REST, id="endpoint moved"),
        pytest.param(dns(POD, OTHER), dns(POD), [THROUGH_IP, THROUGH_PORT, *REST], id="another endpoint left"),
        pytest.param(dns(POD), dns(), [UNANSWERED, *REST], id="the last endpoint left"),
        pytest.param(dns(POD), NetworkState(services=(UNCHANGED,)), [UNANSWERED, *REST], id="service deleted"),
        pytest.param(dns(POD), dns(POD), ALL, id="nothing changed"),
        pytest.param(dns(POD, protocol="TCP"), dns(OTHER, protocol="TCP"), ALL, id="another protocol"),
    ],
)
def test_only_stale_flows_of_changed_services_are_forgotten(
    tmp_path: Path, before: NetworkState, after: NetworkState, kept: list[Flow]
) -> None:
    kernel = fake_kernel()
    node = NodeNetwork(settings(tmp_path), kernel, wait=not_needed)
    node.apply(before)
    kernel.tracked = list(ALL)
    node.apply(after)
    assert kernel.tracked == kept


def fake_kernel() -> FakeKernel:
    kernel = FakeKernel()
    kernel.host.change([c.AddVeth("eth0", "cable"), c.SetAddress(Address("eth0", IPv4Interface(NODE_ADDRESS)))])
    return kernel


def not_needed(seconds: float) -> None:
    raise AssertionError("apply waited without need")


def test_a_connection_that_is_answered_meanwhile_continues(tmp_path: Path) -> None:
    """Its endpoint left the service, but still runs."""
    dead, dying = (flow(CLUSTER_IP, 53, POD, 5353, "tcp"), flow(NODE_ADDRESS.ip, 31053, POD, 5353, "tcp"))
    kernel = fake_kernel()
    forgotten: list[Flow] = []
    kernel.forget_flows = forgotten.extend  # type: ignore[method-assign]

    def answered(seconds: float) -> None:
        assert 0 < seconds < 1
        kernel.tracked.remove(dying)

    node = NodeNetwork(settings(tmp_path), kernel, wait=answered)
    node.apply(dns(POD, protocol="TCP"))
    kernel.tracked = [dead, dying, flow(CLUSTER_IP, 53, OTHER, 5353, "tcp"), THROUGH_IP]
    node.apply(dns(OTHER, protocol="TCP"))
    assert forgotten == [dead]
