"""UDP flows: which are to be forgotten when endpoints change."""

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
    return NetworkState(services=(port,))


def flow(destination: IPv4Address, port: int, server: IPv4Address, server_port: int) -> Flow:
    return Flow(destination, port, server, server_port)


THROUGH_IP = flow(CLUSTER_IP, 53, POD, 5353)
THROUGH_PORT = flow(NODE_ADDRESS.ip, 31053, POD, 5353)
UNANSWERED = flow(NODE_ADDRESS.ip, 31053, NODE_ADDRESS.ip, 31053)
DIRECT = flow(POD, 5353, POD, 5353)
ELSEWHERE = flow(WORLD, 31053, WORLD, 31053)
ALL = [THROUGH_IP, THROUGH_PORT, UNANSWERED, DIRECT, ELSEWHERE]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        pytest.param(dns(POD), dns(OTHER), [DIRECT, ELSEWHERE], id="endpoint moved"),
        pytest.param(dns(POD, OTHER), dns(POD), [THROUGH_IP, THROUGH_PORT, DIRECT, ELSEWHERE], id="another one went"),
        pytest.param(dns(POD), dns(), [UNANSWERED, DIRECT, ELSEWHERE], id="the last one went"),
        pytest.param(dns(POD), NetworkState(), [UNANSWERED, DIRECT, ELSEWHERE], id="service deleted"),
        pytest.param(dns(POD), dns(POD), ALL, id="nothing changed"),
        pytest.param(dns(POD, protocol="TCP"), dns(OTHER, protocol="TCP"), ALL, id="TCP ends by itself"),
    ],
)
def test_flows_of_changed_services_only(
    tmp_path: Path, before: NetworkState, after: NetworkState, kept: list[Flow]
) -> None:
    kernel = FakeKernel()
    kernel.host.change([c.AddVeth("eth0", "cable"), c.SetAddress(Address("eth0", IPv4Interface(NODE_ADDRESS)))])
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(before)
    kernel.flows = list(ALL)
    node.apply(after)
    assert kernel.flows == kept
