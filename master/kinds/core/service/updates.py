"""What an update of a service keeps of its old values, as `kubectl replace` leaves out what the master allocated.

Values of the old type that do not fit the new one are dropped unless the update changes them: then they are refused.
"""

from __future__ import annotations

from msgspec.structs import replace

from master.kinds.core.service.model import ServiceSpec

EXPOSED = ("NodePort", "LoadBalancer")


def with_old_values(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    """The new spec with the allocated values of the old one, and without the ones that its type does not have."""
    return _with_allocated(_without_foreign(new, old), old)


def wants_node_ports(spec: ServiceSpec) -> bool:
    """Whether each port gets a node port."""
    return spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    )


def has_health_check(spec: ServiceSpec) -> bool:
    """Whether load balancers ask each node on a port of its own if it has endpoints of the service."""
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def _with_allocated(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    if "ExternalName" not in (new.type, old.type):
        if not new.cluster_ip and not new.cluster_ips:
            new = replace(new, cluster_ip=old.cluster_ip)
        if new.cluster_ip == old.cluster_ip and not new.cluster_ips:
            new = replace(new, cluster_ips=old.cluster_ips)
    if wants_node_ports(new) and wants_node_ports(old):
        new = _with_node_ports(new, old)
    if has_health_check(new) and has_health_check(old) and not new.health_check_node_port:
        new = replace(new, health_check_node_port=old.health_check_node_port)
    return new


def _with_node_ports(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    """A port without a node port keeps that of the old port with the same name, whatever else has changed."""
    held = {port.name: port.node_port for port in old.ports}
    used = {port.node_port for port in old.ports} & {port.node_port for port in new.ports}
    ports = []
    for port in new.ports:
        node_port = held.get(port.name, 0)
        if not port.node_port and node_port not in used:
            port = replace(port, node_port=node_port)
            used.add(node_port)
        ports.append(port)
    return replace(new, ports=tuple(ports))


def _without_foreign(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    if new.type == "ExternalName" and old.type != "ExternalName":
        new = _for_external_name(new, old)
    if new.type not in EXPOSED and old.type in EXPOSED:
        if {port.node_port for port in new.ports} <= {0, *(port.node_port for port in old.ports)}:
            new = replace(new, ports=tuple(replace(port, node_port=0) for port in new.ports))
        if new.external_traffic_policy == old.external_traffic_policy and not new.external_ips:
            new = replace(new, external_traffic_policy="")
    if new.type != "LoadBalancer" and old.type == "LoadBalancer":
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports:
            new = replace(new, allocate_load_balancer_node_ports=None)
        if new.load_balancer_class == old.load_balancer_class:
            new = replace(new, load_balancer_class=None)
    lost_health_check = has_health_check(old) and not has_health_check(new)
    if lost_health_check and new.health_check_node_port == old.health_check_node_port:
        new = replace(new, health_check_node_port=0)
    return new


def _for_external_name(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    if (new.cluster_ip, new.cluster_ips) in ((old.cluster_ip, old.cluster_ips), (old.cluster_ip, ())):
        new = replace(new, cluster_ip="", cluster_ips=())
    if new.ip_families == old.ip_families:
        new = replace(new, ip_families=())
    if new.ip_family_policy == old.ip_family_policy:
        new = replace(new, ip_family_policy=None)
    if new.internal_traffic_policy == old.internal_traffic_policy:
        new = replace(new, internal_traffic_policy=None)
    return new
