"""Service: defaults, checks, and the allocation of its cluster IP and node ports.

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
from master.kinds.core.pod.validation import PROTOCOLS
from master.kinds.core.service.addresses import ClusterAddresses
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec, ServiceStatus
from master.objects.meta import Object
from master.registry.strategy import Keyspace, Strategy, keep_status
from master.schema.checks import Findings, dns_1035, dns_label, dns_subdomain, port_name

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_TRIES = 32
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


class ServiceStrategy(Strategy[Service]):
    """Each cluster has its own ranges of addresses and ports."""

    def __init__(self, ranges: ServiceRanges = DEFAULT_RANGES) -> None:
        self.ranges = ranges
        self._addresses = ClusterAddresses(ranges.network)

    def name_form(self, name: str) -> str:
        return dns_1035(name)

    def default(self, obj: Service) -> Service:
        spec = obj.spec
        kind = spec.type or "ClusterIP"
        external = kind == "ExternalName"
        ports = tuple(_default_port(port) for port in spec.ports)
        spec = replace(spec, type=kind, ports=ports, session_affinity=spec.session_affinity or "None")
        if not external:
            spec = replace(
                spec,
                internal_traffic_policy=spec.internal_traffic_policy or "Cluster",
                ip_families=spec.ip_families or ("IPv4",),
                ip_family_policy=spec.ip_family_policy or "SingleStack",
                external_traffic_policy=(
                    spec.external_traffic_policy or ("Cluster" if kind in ("NodePort", "LoadBalancer") else "")
                ),
            )
        return replace(obj, spec=spec)

    def for_create(self, obj: Service, now: datetime) -> Service:
        return replace(obj, status=ServiceStatus())

    def for_update(self, new: Service, old: Service, now: datetime) -> Service:
        new = keep_status(new, old)
        spec = new.spec
        if spec.type == "ExternalName" and spec.cluster_ip == old.spec.cluster_ip:
            spec = replace(spec, cluster_ip="", cluster_ips=())
        # Allocated values stay if the update leaves them out, as `kubectl replace` does.
        if not spec.cluster_ip and spec.type != "ExternalName" and old.spec.type != "ExternalName":
            spec = replace(spec, cluster_ip=old.spec.cluster_ip, cluster_ips=old.spec.cluster_ips)
        if spec.type in ("NodePort", "LoadBalancer"):
            held = {(p.protocol, p.port): p.node_port for p in old.spec.ports}
            requested = {p.node_port for p in spec.ports}
            spec = replace(
                spec,
                ports=tuple(
                    replace(p, node_port=port)
                    if not p.node_port
                    and (port := held.get((p.protocol or "TCP", p.port), 0))
                    and port not in requested
                    else p
                    for p in spec.ports
                ),
            )
        elif old.spec.type in ("NodePort", "LoadBalancer"):
            held_ports = {p.node_port for p in old.spec.ports}
            spec = replace(
                spec,
                ports=tuple(replace(p, node_port=0) if p.node_port in held_ports else p for p in spec.ports),
                external_traffic_policy="",
            )
        return replace(new, spec=spec)

    def allocate(self, obj: Service, old: Service | None, keyspace: Keyspace) -> Service:
        spec = obj.spec
        if spec.type != "ExternalName" and not spec.cluster_ip and spec.cluster_ips:
            spec = replace(spec, cluster_ip=spec.cluster_ips[0])
        if spec.type != "ExternalName" and not spec.cluster_ip:
            spec = replace(spec, cluster_ip=self._free_address(keyspace))
        if spec.type != "ExternalName":
            spec = replace(spec, cluster_ips=(spec.cluster_ip, *spec.cluster_ips[1:]))
        if spec.type in ("NodePort", "LoadBalancer"):
            spec = replace(spec, ports=self._node_ports(spec, keyspace))
        return replace(obj, spec=spec)

    def _free_address(self, keyspace: Keyspace) -> str:
        address = self._addresses.next(lambda text: keyspace.taken(cluster_ip_key(text)))
        if address is None:
            network = self.ranges.network
            raise Unavailable(f"no cluster IP is free in {network}; delete services or widen service_cidr")
        return address

    def _node_ports(self, spec: ServiceSpec, keyspace: Keyspace) -> tuple[ServicePort, ...]:
        own = {node_port_key(p.protocol, p.node_port) for p in spec.ports if p.node_port}
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
        spec = obj.spec
        held = {node_port_key(port.protocol, port.node_port) for port in spec.ports if port.node_port}
        if spec.cluster_ip and spec.cluster_ip != "None":
            held.add(cluster_ip_key(spec.cluster_ip))
        return frozenset(held)

    # -- checks ---------------------------------------------------------------------------------------------------

    def check(self, obj: Service, old: Service | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        findings.one_of("spec.type", spec.type, TYPES)
        findings.labels("spec.selector", spec.selector)
        findings.one_of("spec.sessionAffinity", spec.session_affinity, ("ClientIP", "None"))
        headless = spec.cluster_ip == "None"
        if spec.type == "ExternalName":
            if not spec.external_name:
                findings.required("spec.externalName")
            else:
                findings.form("spec.externalName", spec.external_name, dns_subdomain(spec.external_name.rstrip(".")))
            if spec.cluster_ip:
                findings.forbidden("spec.clusterIPs[0]", "may not be set when `type` is 'ExternalName'")
        elif not spec.ports and not headless:
            findings.required("spec.ports")
        if headless and spec.type in ("NodePort", "LoadBalancer"):
            findings.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec.type} services")
        for index, address in enumerate(spec.external_ips):
            findings.ip(f"spec.externalIPs[{index}]", address)
        if not headless and spec.cluster_ip:
            self._address(obj, findings, keyspace)
        self._ports(obj, findings, keyspace)

    def _address(self, obj: Service, findings: Findings, keyspace: Keyspace) -> None:
        text = obj.spec.cluster_ip
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            findings.invalid("spec.clusterIPs[0]", text, "must be a valid IP address, (e.g. 10.9.8.7)")
            return
        network = self.ranges.network
        if address not in network or address in (network.network_address, network.broadcast_address):
            findings.invalid(
                "spec.clusterIPs[0]",
                text,
                f"failed to allocate IP {text}: the provided IP is not in the valid range {network}",
            )
        elif _held_by_other(keyspace, cluster_ip_key(text), obj):
            findings.invalid(
                "spec.clusterIPs[0]", text, f"failed to allocate IP {text}: provided IP is already allocated"
            )
        elif address == self.ranges.first and owner_of(obj) != _FIRST_HOLDER:
            findings.invalid(
                "spec.clusterIPs[0]", text, f"failed to allocate IP {text}: it is reserved for the kubernetes service"
            )

    def _ports(self, obj: Service, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        for index, port in enumerate(spec.ports):
            at = f"spec.ports[{index}]"
            if not port.name and len(spec.ports) > 1:
                findings.required(f"{at}.name", "must be set when a service has several ports")
            elif port.name:
                findings.form(f"{at}.name", port.name, dns_label(port.name))
            findings.port(f"{at}.port", port.port)
            findings.one_of(f"{at}.protocol", port.protocol, PROTOCOLS)
            target = port.target_port
            if isinstance(target, str):
                findings.form(f"{at}.targetPort", target, port_name(target))
            elif target is not None:
                findings.port(f"{at}.targetPort", target)
            if port.node_port:
                self._node_port(obj, port, f"{at}.nodePort", findings, keyspace)
        findings.unique("spec.ports", ((f"[{i}].name", p.name) for i, p in enumerate(spec.ports)))
        findings.unique("spec.ports", ((f"[{i}]", f"{p.protocol}/{p.port}") for i, p in enumerate(spec.ports)))
        node_ports = (
            (f"[{i}].nodePort", f"{p.protocol}/{p.node_port}" if p.node_port else "") for i, p in enumerate(spec.ports)
        )
        findings.unique("spec.ports", node_ports)

    def _node_port(self, obj: Service, port: ServicePort, at: str, findings: Findings, keyspace: Keyspace) -> None:
        if obj.spec.type not in ("NodePort", "LoadBalancer"):
            findings.forbidden(at, f"may not be used when `type` is '{obj.spec.type}'")
            return
        ports = self.ranges.node_ports
        if port.node_port not in ports:
            why = f"provided port is not in the valid range. The range of valid ports is {ports.start}-{ports.stop - 1}"
            findings.invalid(at, port.node_port, why)
        elif holder := _held_by_other(keyspace, node_port_key(port.protocol, port.node_port), obj):
            findings.invalid(at, port.node_port, f"provided port is already allocated (to {holder})")

    def check_update(self, new: Service, old: Service, findings: Findings) -> None:
        both = new.spec.type != "ExternalName" and old.spec.type != "ExternalName"
        if both and old.spec.cluster_ip and new.spec.cluster_ip != old.spec.cluster_ip:
            findings.invalid(
                "spec.clusterIPs[0]", new.spec.cluster_ip, "field is immutable; delete the service and create it again"
            )


def _held_by_other(keyspace: Keyspace, key: str, obj: Service) -> str:
    holder = keyspace.holder(key)
    return holder.decode() if holder is not None and holder.decode() != owner_of(obj) else ""


def _default_port(port: ServicePort) -> ServicePort:
    target = port.target_port
    if target in (None, 0, ""):
        target = port.port
    return replace(port, protocol=port.protocol or "TCP", target_port=target)
