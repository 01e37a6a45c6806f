"""Service: one stable address for the pods that its selector finds."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.objects.kind import KindSpec
from master.objects.meta import Model, Object, always
from master.objects.scalars import Int32, PortIfAny, choice, number_within


class ServicePort(Model, frozen=True, kw_only=True):
    """One port of a service; targetPort is the pods' port, by number or by name."""

    name: str = ""
    protocol: str = ""
    app_protocol: str | None = None
    port: Int32 = always(0)
    target_port: Int32 | str | None = None
    node_port: Int32 = 0


class ClientIPConfig(Model, frozen=True, kw_only=True):
    """How long a client sticks to its endpoint, in seconds."""

    timeout_seconds: Annotated[int, number_within(1, 86400)] | None = None


class SessionAffinityConfig(Model, frozen=True, kw_only=True):
    """Settings of session affinity."""

    client_ip: ClientIPConfig | None = None


class ServiceSpec(Model, frozen=True, kw_only=True):
    """What is wanted of a service."""

    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)
    cluster_ip: str = ""
    cluster_ips: tuple[str, ...] = ()
    type: str = ""
    external_ips: tuple[str, ...] = ()
    session_affinity: Annotated[str, choice("", "ClientIP", "None")] = ""
    load_balancer_ip: str = ""
    load_balancer_source_ranges: tuple[str, ...] = ()
    external_name: str = ""
    external_traffic_policy: Annotated[str, choice("", "Cluster", "Local")] = ""
    health_check_node_port: PortIfAny = 0
    publish_not_ready_addresses: bool = False
    session_affinity_config: SessionAffinityConfig | None = None
    ip_families: tuple[Annotated[str, choice("IPv4", "IPv6")], ...] = ()
    ip_family_policy: Annotated[str, choice("PreferDualStack", "RequireDualStack", "SingleStack")] | None = None
    allocate_load_balancer_node_ports: bool | None = None
    load_balancer_class: str | None = None
    internal_traffic_policy: Annotated[str, choice("Cluster", "Local")] | None = None
    traffic_distribution: str | None = None


class LoadBalancerIngress(Model, frozen=True, kw_only=True):
    """Where a load balancer is reached."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    ports: tuple[dict[str, Any], ...] = ()


class LoadBalancerStatus(Model, frozen=True, kw_only=True):
    """What a load balancer reports."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Model, frozen=True, kw_only=True):
    """What a service is."""

    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)
    conditions: tuple[dict[str, Any], ...] = ()


class Service(Object, frozen=True, kw_only=True):
    """One stable address for the pods that its selector finds."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)


SERVICE = KindSpec(
    kind="Service",
    plural="services",
    model=Service,
    short_names=("svc",),
    categories=("all",),
    subresources=("status",),
    fields={"spec.clusterIP": lambda svc: svc.spec.cluster_ip, "spec.type": lambda svc: svc.spec.type},
)
