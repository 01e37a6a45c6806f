"""Which ports the relay opens, and where they lead to."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from agent.relay.ports import LOOPBACK, Key, RelayPort, relay_ports
from netstack.desired import Endpoint, HostPort, PublishedPort, ServicePort

CLUSTER_IP, POD = IPv4Address("10.96.0.10"), IPv4Address("10.244.1.2")
OTHER = IPv4Address("127.0.0.7")


def service(protocol: str = "tcp", node_port: int = 30080) -> ServicePort:
    return ServicePort("default/web:http", protocol, CLUSTER_IP, 80, node_port)


def host_port(protocol: str = "tcp", port: int = 443, address: IPv4Address | None = None) -> PublishedPort:
    return PublishedPort(HostPort("default/web", protocol, port, 8443, address), POD)


NODE = RelayPort("nodePort for default/web:http", Endpoint(CLUSTER_IP, 80))
HOST = RelayPort("hostPort for default/web", Endpoint(POD, 8443))


@pytest.mark.parametrize(
    ("services", "host_ports", "expected"),
    [
        pytest.param([service()], [], {(LOOPBACK, 30080): NODE}, id="a node port, even without endpoints"),
        pytest.param([service("udp"), service("sctp"), service(node_port=0)], [], {}, id="not TCP, or no node port"),
        pytest.param([], [host_port()], {(LOOPBACK, 443): HOST}, id="a host port of all addresses"),
        pytest.param([], [host_port(address=OTHER)], {(OTHER, 443): HOST}, id="a host port of the loopback"),
        pytest.param([], [host_port(address=POD), host_port("udp")], {}, id="of another address, or of UDP"),
        pytest.param(
            [service()],
            [host_port(port=30080)],
            {(LOOPBACK, 30080): NODE},
            id="a node port counts more",
        ),
    ],
)
def test_ports(services: list[ServicePort], host_ports: list[PublishedPort], expected: dict[Key, RelayPort]) -> None:
    assert relay_ports(services, host_ports) == expected
