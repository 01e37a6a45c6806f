"""From the master's messages to netstack's values: what the node's network should be. Pure functions.

Joins services with their endpoints. A peer, a service port or an endpoint with an address that cannot be read is logged
and left out: it must not stop the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from agent.model import ClusterDns
from netstack.desired import Endpoint, NetworkState, NodeSettings, Peer, ServicePort
from proto import contract
from proto.gen import desired_pb2

Backends = Mapping[tuple[str, str], Sequence[desired_pb2.EndpointSubset]]
"""The endpoints of services, by namespace and name."""

log = logging.getLogger(__name__)


def settings(node: desired_pb2.NodeConfig, *, node_name: str, state_dir: Path) -> NodeSettings:
    """This node's own part. Raises ValueError when the master sent unusable addresses."""
    return NodeSettings(
        node_name=node_name,
        node_address=IPv4Address(node.node_address),
        pod_cidr=IPv4Network(node.pod_cidr),
        cluster_cidr=IPv4Network(node.cluster_cidr),
        service_cidr=IPv4Network(node.service_cidr),
        state_dir=state_dir,
    )


def network_state(
    own: desired_pb2.NodeConfig | None,
    peers: Iterable[desired_pb2.Peer],
    services: Iterable[desired_pb2.Service],
    backends: Backends,
) -> NetworkState:
    """Peers and service ports, sorted by name. `own`: this node's configuration."""
    services = tuple(services)
    return NetworkState(
        dns=own_dns(own, services, backends),
        peers=tuple(sorted(_peers(own, peers), key=lambda peer: peer.name)),
        services=tuple(sorted(_ports(services, backends), key=lambda port: (port.name, port.protocol))),
    )


def cluster_dns(own: desired_pb2.NodeConfig | None, services: Iterable[desired_pb2.Service]) -> ClusterDns:
    """The DNS of pods: without an address if another service has it, perhaps since a release without DNS."""
    if own is None:
        return ClusterDns()
    holder = _holder(own, services)
    address = own.cluster_dns if holder in (None, contract.DNS_SERVICE) else ""
    return ClusterDns(own.cluster_domain, address)


def own_dns(
    own: desired_pb2.NodeConfig | None, services: Iterable[desired_pb2.Service], backends: Backends
) -> IPv4Address | None:
    """The address at which this node answers DNS itself; None if pods of the cluster do, or nobody."""
    if own is None or not own.cluster_dns:
        return None
    match _holder(own, services):
        case None:
            return IPv4Address(own.cluster_dns)
        case contract.DNS_SERVICE as key if not any(subset.addresses for subset in backends.get(key, ())):
            return IPv4Address(own.cluster_dns)
        case _:
            return None


def _holder(own: desired_pb2.NodeConfig, services: Iterable[desired_pb2.Service]) -> tuple[str, str] | None:
    """The service with the address of DNS."""
    holders = (service.ref for service in services if service.cluster_ip and service.cluster_ip == own.cluster_dns)
    return next(((ref.namespace, ref.name) for ref in holders), None)


def _peers(own: desired_pb2.NodeConfig | None, peers: Iterable[desired_pb2.Peer]) -> Iterator[Peer]:
    for peer in peers:
        try:
            yield _peer(peer, own)
        except ValueError as error:
            log.error("node %s: left out of the overlay: %s", peer.name, error)


def _peer(peer: desired_pb2.Peer, own: desired_pb2.NodeConfig | None) -> Peer:
    """Raises ValueError if the peer's route would catch traffic for this node, or more than pods' addresses."""
    address, pod_cidr = IPv4Address(peer.address), IPv4Network(peer.pod_cidr)
    if own is not None:
        if not pod_cidr.subnet_of(IPv4Network(own.cluster_cidr)):
            raise ValueError(f"its pod CIDR {pod_cidr} is not in {own.cluster_cidr}")
        if pod_cidr.overlaps(IPv4Network(own.pod_cidr)) or peer.address == own.node_address:
            raise ValueError(f"its pod CIDR {pod_cidr} or its address {address} is this node's own")
    return Peer(peer.name, address, pod_cidr)


def _ports(services: Iterable[desired_pb2.Service], backends: Backends) -> Iterator[ServicePort]:
    for service in services:
        if not service.cluster_ip:
            continue
        name = f"{service.ref.namespace}/{service.ref.name}"
        subsets = backends.get((service.ref.namespace, service.ref.name), ())
        for port in service.ports:
            try:
                yield ServicePort(
                    name=f"{name}:{port.name}" if port.name else name,
                    protocol=port.protocol.lower(),
                    cluster_ip=IPv4Address(service.cluster_ip),
                    port=port.port,
                    node_port=port.node_port,
                    endpoints=tuple(sorted(set(_endpoints(name, subsets, port)))),
                )
            except ValueError as error:
                log.error("service %s port %d: not served: %s", name, port.port, error)


def _endpoints(
    name: str, subsets: Iterable[desired_pb2.EndpointSubset], port: desired_pb2.ServicePort
) -> Iterator[Endpoint]:
    """The endpoints with the service port's name and protocol."""
    for subset in subsets:
        for target in subset.ports:
            if target.name == port.name and target.protocol == port.protocol:
                for address in subset.addresses:
                    try:
                        yield Endpoint(IPv4Address(address), target.port)
                    except ValueError as error:
                        log.error("service %s: endpoint left out: %s", name, error)
