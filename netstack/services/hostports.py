"""Host ports: ports of the node that lead to pods on it. Their rules and their frontends, as pure functions.

The packet keeps its source, except that of a pod to itself, as with Kubernetes' portmap plugin. Host ports come after
node ports, also as there: a pod cannot take a port that a service has on all nodes. A program of the host that listens
on the same port gets nothing, except by loopback.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address
from typing import Final

from netstack.desired import HostPort, NodeSettings, PublishedPort
from netstack.pods import PodLink
from netstack.services.flows import TCP, UDP, Frontends, differing
from netstack.services.names import ChainNames

Chains = dict[str, tuple[str, ...]]

_EVERYWHERE: Final = IPv4Address(0)


def published(pods: Iterable[PodLink]) -> tuple[PublishedPort, ...]:
    """The host ports of the pods, in the order of their rules. If two pods want the same one, one of them gets it."""
    ports = [PublishedPort(port, pod.address) for pod in pods for port in pod.ports]
    unique: dict[tuple[bool, IPv4Address, str, int], PublishedPort] = {}
    for port in sorted(ports, key=lambda port: (port.pod, port.host.pod_port)):
        unique.setdefault(_key(port.host), port)
    return tuple(unique[key] for key in sorted(unique))


def host_port_rules(settings: NodeSettings, names: ChainNames, ports: Sequence[PublishedPort]) -> Chains:
    """The chain of host ports; none if no port needs one."""
    rules = [rule for port in ports if not _by_loopback(port.host) for rule in _rules(names, port)]
    # The node's DNS has an address of the service network: a pod with port 53 must not get the questions to it.
    return {names.host_ports: (f"-d {settings.service_cidr} -j RETURN", *rules)} if rules else {}


def changed_host_ports(
    before: Sequence[PublishedPort], after: Sequence[PublishedPort], local: Iterable[IPv4Address]
) -> Frontends:
    """Frontends of host ports that lead to another pod than before, or to none. `local`: the node's addresses."""
    addresses = tuple(local)
    return differing(_frontends(before, addresses), _frontends(after, addresses))


def _key(port: HostPort) -> tuple[bool, IPv4Address, str, int]:
    """Rules for one address come before those for all."""
    return port.address is None, port.address or _EVERYWHERE, port.protocol, port.port


def _by_loopback(port: HostPort) -> bool:
    return port.address is not None and port.address.is_loopback


def _rules(names: ChainNames, port: PublishedPort) -> Iterator[str]:
    host = port.host
    to = "" if host.address is None else f"-d {host.address}/32 "
    match = f'{to}-p {host.protocol} -m {host.protocol} --dport {host.port} -m comment --comment "{host.name}"'
    # A pod that reaches itself through its host port must see a source other than itself.
    yield f"-s {port.pod}/32 {match} -j {names.mark}"
    yield f"{match} -j DNAT --to-destination {port.pod}:{host.pod_port}"


def _frontends(ports: Sequence[PublishedPort], local: tuple[IPv4Address, ...]) -> Frontends:
    frontends: Frontends = {}
    for port in reversed(ports):  # those for one address come first, and count
        host = port.host
        if host.protocol in (TCP, UDP) and not _by_loopback(host):
            addresses = local if host.address is None else (host.address,)
            frontends.update({(host.protocol, address, host.port): frozenset({port.endpoint}) for address in addresses})
    return frontends
