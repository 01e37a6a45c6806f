"""Service: the allocation of its cluster IP and node ports, and what only the whole cluster can check.

Each address and port has a uniqueness key, which is written in the same commit as the service. A service that loses the
race for one gets another one; if it requested exactly this one, the request fails.
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from msgspec.structs import replace

from master.api.errors import Unavailable
from master.kinds.core.service.addresses import ClusterAddresses
from master.kinds.core.service.defaults import default_service_spec
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.kinds.core.service.updates import EXPOSED, has_health_check, wants_node_ports, with_old_values
from master.kinds.core.service.validation import check_service_spec
from master.objects.meta import Object
from master.registry.strategy import Keyspace, StatusStrategy
from master.schema.checks import Findings
from master.schema.names import dns_1035

_TRIES = 32
# The range of numbers of a health check's port is declared in the model.
_LAST_PORT = 65535
# The range's first address is reserved for this service, even while it does not exist.
_FIRST_HOLDER = "services/default/kubernetes"


@dataclass(frozen=True, slots=True)
class ServiceRanges:
    """The ranges of cluster IPs and node ports."""

    network: IPv4Network
    node_ports: range

    @property
    def first(self) -> IPv4Address:
        """The address that is reserved for the `kubernetes` service."""
        return self.network[1]


def cluster_ip_key(address: str) -> str:
    return f"/unique/clusterip/{address}"


def node_port_key(protocol: str, port: int) -> str:
    return f"/unique/nodeport/{protocol}/{port}"


def owner_of(obj: Object) -> str:
    """The value of a uniqueness key: the service that holds it."""
    return f"services/{obj.metadata.namespace}/{obj.metadata.name}"


DEFAULT_RANGES = ServiceRanges(IPv4Network("10.96.0.0/16"), range(30000, 32768))


class ServiceStrategy(StatusStrategy[Service]):
    """Each cluster has its own ranges of addresses and ports."""

    def __init__(self, ranges: ServiceRanges = DEFAULT_RANGES) -> None:
        self.ranges = ranges
        self._addresses = ClusterAddresses(ranges.network)

    def name_form(self, name: str) -> str:
        return dns_1035(name)

    def default(self, obj: Service) -> Service:
        return replace(obj, spec=default_service_spec(obj.spec))

    def for_update(self, new: Service, old: Service, now: datetime) -> Service:
        new = super().for_update(new, old, now)
        return replace(new, spec=with_old_values(new.spec, old.spec))

    def allocate(self, obj: Service, old: Service | None, keyspace: Keyspace) -> Service:
        spec = obj.spec
        if spec.type == "ExternalName":
            return obj
        if not spec.cluster_ip:
            spec = replace(spec, cluster_ip=spec.cluster_ips[0] if spec.cluster_ips else self._free_address(keyspace))
        if not spec.cluster_ips:
            spec = replace(spec, cluster_ips=(spec.cluster_ip,))
        if wants_node_ports(spec):
            spec = replace(spec, ports=self._node_ports(spec, keyspace))
        if has_health_check(spec) and not spec.health_check_node_port:
            spec = replace(spec, health_check_node_port=self._free_port("TCP", _node_port_keys(spec), keyspace))
        return replace(obj, spec=spec)

    def _free_address(self, keyspace: Keyspace) -> str:
        address = self._addresses.next(lambda text: keyspace.taken(cluster_ip_key(text)))
        if address is None:
            network = self.ranges.network
            raise Unavailable(f"no cluster IP is free in {network}; delete services or widen service_cidr")
        return address

    def _node_ports(self, spec: ServiceSpec, keyspace: Keyspace) -> tuple[ServicePort, ...]:
        own = _node_port_keys(spec)
        result = []
        for port in spec.ports:
            if not port.node_port:
                port = replace(port, node_port=self._free_port(port.protocol, own, keyspace))
                own.add(node_port_key(port.protocol, port.node_port))
            result.append(port)
        return tuple(result)

    def _free_port(self, protocol: str, own: set[str], keyspace: Keyspace) -> int:
        ports = self.ranges.node_ports
        tries = [*(random.choice(ports) for _ in range(_TRIES)), *ports]
        for port in tries:
            key = node_port_key(protocol, port)
            if key not in own and not keyspace.taken(key):
                return int(port)
        raise Unavailable(f"no node port is free in {ports.start}-{ports.stop - 1}; delete services or widen the range")

    def keys(self, obj: Service) -> frozenset[str]:
        held = _node_port_keys(obj.spec)
        if obj.spec.cluster_ip and obj.spec.cluster_ip != "None":
            held.add(cluster_ip_key(obj.spec.cluster_ip))
        return frozenset(held)

    # -- checks ---------------------------------------------------------------------------------------------------

    def check(self, obj: Service, old: Service | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        check_service_spec(spec, findings)
        if spec.cluster_ip not in ("", "None") and spec.type != "ExternalName":
            self._address(obj, findings, keyspace)
        for index, port in enumerate(spec.ports):
            if port.node_port and spec.type in EXPOSED:
                self._node_port(obj, port.protocol, port.node_port, f"spec.ports[{index}].nodePort", findings, keyspace)
        if 0 < spec.health_check_node_port <= _LAST_PORT and has_health_check(spec):
            at = "spec.healthCheckNodePort"
            self._node_port(obj, "TCP", spec.health_check_node_port, at, findings, keyspace)

    def _address(self, obj: Service, findings: Findings, keyspace: Keyspace) -> None:
        text, at = obj.spec.cluster_ip, "spec.clusterIPs"
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            findings.ip(f"{at}[0]", text)
            return
        network = self.ranges.network
        why = ""
        if address not in network or address in (network.network_address, network.broadcast_address):
            why = f"the provided IP is not in the valid range {network}"
        elif _held_by_other(keyspace, cluster_ip_key(text), obj):
            why = "provided IP is already allocated"
        elif address == self.ranges.first and owner_of(obj) != _FIRST_HOLDER:
            why = "it is reserved for the kubernetes service"
        if why:
            findings.invalid(at, obj.spec.cluster_ips, f"failed to allocate IP {text}: {why}")

    def _node_port(
        self, obj: Service, protocol: str, number: int, at: str, findings: Findings, keyspace: Keyspace
    ) -> None:
        ports = self.ranges.node_ports
        if number not in ports:
            why = f"provided port is not in the valid range. The range of valid ports is {ports.start}-{ports.stop - 1}"
            findings.invalid(at, number, why)
        elif holder := _held_by_other(keyspace, node_port_key(protocol, number), obj):
            findings.invalid(at, number, f"provided port is already allocated (to {holder})")

    def check_update(self, new: Service, old: Service, findings: Findings) -> None:
        if "ExternalName" in (new.spec.type, old.spec.type):
            return
        if old.spec.cluster_ip and new.spec.cluster_ip != old.spec.cluster_ip:
            why = "field is immutable; delete the service and create it again"
            findings.invalid("spec.clusterIPs[0]", new.spec.cluster_ip, why)
        balanced = new.spec.type == old.spec.type == "LoadBalancer"
        if balanced and new.spec.load_balancer_class != old.spec.load_balancer_class:
            findings.invalid("spec.loadBalancerClass", new.spec.load_balancer_class, "may not change once set")


def _node_port_keys(spec: ServiceSpec) -> set[str]:
    keys = {node_port_key(port.protocol, port.node_port) for port in spec.ports if port.node_port}
    if spec.health_check_node_port:
        keys.add(node_port_key("TCP", spec.health_check_node_port))
    return keys


def _held_by_other(keyspace: Keyspace, key: str, obj: Service) -> str:
    holder = keyspace.holder(key)
    return holder.decode() if holder is not None and holder.decode() != owner_of(obj) else ""
