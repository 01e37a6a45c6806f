"""Which ports of the node a pod has, and which of them lead to it. Pure functions.

Owns the ports that no pod can have, because the cluster itself needs them: a pod that took those of the master or of
the overlay would cut nodes off, so that nobody could tell them to end it. netstack makes the rules, and the relay in
agent/relay serves the loopback.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from agent.model import ContainerPort, HostPort, Pod
from agent.pods.roles import sidecars

_ANY_ADDRESS = "0.0.0.0"


def taken_ports(pod: Pod) -> tuple[HostPort, ...]:
    """The ports that no other pod of the node can have. In the host's network these are all ports of its containers."""
    ports = (port for container in (*pod.containers, *sidecars(pod)) for port in container.ports)
    numbered = ((port, port.host_port or (port.container_port if pod.host_network else 0)) for port in ports)
    return tuple(_host_port(pod, port, number) for port, number in numbered if number)


def published_ports(pod: Pod) -> tuple[HostPort, ...]:
    """The ports that lead to the pod's own network. As in Kubernetes, none of an IPv6 address leads to an IPv4 pod."""
    if pod.host_network:
        return ()
    return tuple(port for port in taken_ports(pod) if ":" not in port.address)


def ports_of_node(*, overlay: int, masters: Iterable[str], addresses: Container[str]) -> tuple[HostPort, ...]:
    """The ports that the node itself has: UDP of the overlay, and those of a master on this host.

    `masters`: URLs and `host:port` at which the node reaches the master; `addresses`: the host's own. A master with a
    name instead of an address is not known to be on this host.
    """
    places = (urlsplit(master if "//" in master else f"//{master}") for master in masters)
    here = {place.port for place in places if place.port and _is_here(place.hostname or "", addresses)}
    return (HostPort("", "UDP", overlay, overlay), *(HostPort("", "TCP", port, port) for port in sorted(here)))


def _is_here(host: str, addresses: Container[str]) -> bool:
    try:
        return host in addresses or IPv4Address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_port(pod: Pod, port: ContainerPort, number: int) -> HostPort:
    address = "" if port.host_ip == _ANY_ADDRESS else port.host_ip
    return HostPort(str(pod.ref), port.protocol, number, port.container_port, address)
