"""Checks of a service that need nothing but the service itself."""

from __future__ import annotations

import ipaddress

from master.kinds.core.pod.containers import PROTOCOLS
from master.kinds.core.service.defaults import is_exposed
from master.kinds.core.service.families import check_families
from master.kinds.core.service.model import ServicePort, ServiceSpec
from master.kinds.core.service.updates import EXPOSED, has_health_check
from master.schema.checks import Findings
from master.schema.names import dns_label, dns_subdomain, port_name, qualified_name

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_LAST_PORT = 65535
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def check_service_spec(spec: ServiceSpec, findings: Findings) -> None:
    """Checks a spec that has its defaults and allocated values."""
    findings.one_of("spec.type", spec.type, TYPES)
    findings.labels("spec.selector", spec.selector)
    headless = spec.cluster_ip == "None"
    if spec.type == "ExternalName":
        if not spec.external_name:
            findings.required("spec.externalName")
        else:
            findings.form("spec.externalName", spec.external_name, dns_subdomain(spec.external_name.rstrip(".")))
        if spec.cluster_ip or spec.cluster_ips:
            findings.forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'")
    else:
        if not spec.ports and not headless:
            findings.required("spec.ports")
        _cluster_ips(spec, findings)
    if headless and spec.type in EXPOSED:
        findings.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec.type} services")
    for index, address in enumerate(spec.external_ips):
        findings.ip(f"spec.externalIPs[{index}]", address)
    check_families(spec, findings)
    _balancer(spec, findings)
    _policies(spec, findings)
    _ports(spec, findings)


def _cluster_ips(spec: ServiceSpec, findings: Findings) -> None:
    """The first of `clusterIPs` is `clusterIP`. There is no second one, because the cluster has one IP family."""
    addresses = spec.cluster_ips
    if addresses and addresses[0] != spec.cluster_ip:
        findings.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    elif len(addresses) > 1:
        only_first = spec.cluster_ip == "None"
        why = "'None' must be the first and only value" if only_first else "this cluster has only IPv4 addresses"
        findings.invalid("spec.clusterIPs", addresses, why)


def _balancer(spec: ServiceSpec, findings: Findings) -> None:
    """The fields that only load balancers use."""
    if spec.load_balancer_class is not None and spec.type == "LoadBalancer":
        findings.form("spec.loadBalancerClass", spec.load_balancer_class, qualified_name(spec.load_balancer_class))
    if spec.type != "LoadBalancer":
        if spec.load_balancer_class is not None:
            findings.forbidden("spec.loadBalancerClass", _ONLY_BALANCED)
        if spec.allocate_load_balancer_node_ports is not None:
            findings.forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED)
        if spec.load_balancer_source_ranges:
            findings.forbidden("spec.loadBalancerSourceRanges", _ONLY_BALANCED)
        return
    for index, text in enumerate(spec.load_balancer_source_ranges):
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            findings.invalid(f"spec.loadBalancerSourceRanges[{index}]", text, why)


def _policies(spec: ServiceSpec, findings: Findings) -> None:
    if spec.external_traffic_policy in ("Cluster", "Local") and not is_exposed(spec):
        why = "may only be set for externally-accessible services"
        findings.invalid("spec.externalTrafficPolicy", spec.external_traffic_policy, why)
    if 0 < spec.health_check_node_port <= _LAST_PORT and not has_health_check(spec):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        findings.invalid("spec.healthCheckNodePort", spec.health_check_node_port, why)
    if spec.traffic_distribution is not None:
        findings.one_of("spec.trafficDistribution", spec.traffic_distribution, _DISTRIBUTIONS)


def _ports(spec: ServiceSpec, findings: Findings) -> None:
    for index, port in enumerate(spec.ports):
        _port(port, f"spec.ports[{index}]", findings, several=len(spec.ports) > 1)
        if port.node_port and spec.type not in EXPOSED:
            why = f"may not be used when `type` is '{spec.type}'"
            findings.forbidden(f"spec.ports[{index}].nodePort", why)
    findings.unique("spec.ports", ((f"[{i}].name", p.name) for i, p in enumerate(spec.ports)))
    findings.unique("spec.ports", ((f"[{i}]", f"{p.protocol}/{p.port}") for i, p in enumerate(spec.ports)))
    node_ports = [
        (f".ports[{i}].nodePort", f"{p.protocol}/{p.node_port}" if p.node_port else "")
        for i, p in enumerate(spec.ports)
    ]
    if spec.health_check_node_port:
        node_ports.append((".healthCheckNodePort", f"TCP/{spec.health_check_node_port}"))
    findings.unique("spec", node_ports)


def _port(port: ServicePort, at: str, findings: Findings, *, several: bool) -> None:
    if port.name:
        findings.form(f"{at}.name", port.name, dns_label(port.name))
    elif several:
        findings.required(f"{at}.name", "must be set when a service has several ports")
    findings.port(f"{at}.port", port.port)
    findings.one_of(f"{at}.protocol", port.protocol, PROTOCOLS)
    target = port.target_port
    if isinstance(target, str):
        findings.form(f"{at}.targetPort", target, port_name(target))
    elif target is not None:
        findings.port(f"{at}.targetPort", target)
    if port.app_protocol is not None:
        findings.form(f"{at}.appProtocol", port.app_protocol, qualified_name(port.app_protocol))
