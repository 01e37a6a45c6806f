"""Which ports of the node a pod has, and which of them lead to it. Pure functions.

netstack makes the rules, and the relay in agent/relay serves the loopback.
"""

from __future__ import annotations

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


def _host_port(pod: Pod, port: ContainerPort, number: int) -> HostPort:
    address = "" if port.host_ip == _ANY_ADDRESS else port.host_ip
    return HostPort(str(pod.ref), port.protocol, number, port.container_port, address)
