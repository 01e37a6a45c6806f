"""Kubernetes' defaults for services."""

from __future__ import annotations

from msgspec.structs import replace

from master.kinds.core.service.families import with_families
from master.kinds.core.service.model import ClientIPConfig, ServicePort, ServiceSpec, SessionAffinityConfig

# How long a client keeps its endpoint without traffic, in seconds.
_AFFINITY_S = 10800


def default_service_spec(spec: ServiceSpec) -> ServiceSpec:
    """The spec with all defaults but those that are allocated."""
    kind = spec.type or "ClusterIP"
    affinity = spec.session_affinity or "None"
    allocate = spec.allocate_load_balancer_node_ports
    spec = replace(
        spec,
        type=kind,
        ports=tuple(_port(port) for port in spec.ports),
        session_affinity=affinity,
        session_affinity_config=_affinity_config(affinity, spec.session_affinity_config),
        allocate_load_balancer_node_ports=True if kind == "LoadBalancer" and allocate is None else allocate,
    )
    if is_exposed(spec) and not spec.external_traffic_policy:
        spec = replace(spec, external_traffic_policy="Cluster")
    if kind != "ExternalName":
        spec = replace(spec, internal_traffic_policy=spec.internal_traffic_policy or "Cluster")
    return with_families(spec)


def is_exposed(spec: ServiceSpec) -> bool:
    """Whether clients outside the cluster can reach the service."""
    return spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))


def _affinity_config(affinity: str, config: SessionAffinityConfig | None) -> SessionAffinityConfig | None:
    """The settings of session affinity, which only services with affinity have."""
    if affinity == "None":
        return None
    if affinity != "ClientIP" or (config and config.client_ip and config.client_ip.timeout_seconds is not None):
        return config
    return SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=_AFFINITY_S))


def _port(port: ServicePort) -> ServicePort:
    target = port.target_port
    if target in (None, 0, ""):
        target = port.port
    return replace(port, protocol=port.protocol or "TCP", target_port=target)
