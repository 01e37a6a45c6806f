"""Service: a stable address for the pods that its selector selects."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.objects.meta import Model, Object, always
from master.objects.scalars import Int32, PortIfAny, choice, number_within


class ServicePort(Model, frozen=True, kw_only=True):
    """A port of a service, 1 to 65535. A service with several ports must name them.

    `protocol` is TCP (default), UDP or SCTP. `targetPort` is the port of the pods, as a number or as the name of a
    container port; default: `port`. `nodePort` is the port on every node, for the types NodePort and LoadBalancer; the
    master assigns a free one if it is left out.
    """

    name: str = ""
    protocol: str = ""
    app_protocol: str | None = None
    port: Int32 = always(0)
    target_port: Int32 | str | None = None
    node_port: Int32 = 0


class ClientIPConfig(Model, frozen=True, kw_only=True):
    """`timeoutSeconds`: a client keeps its endpoint for this time without traffic, 1 to 86400 seconds."""

    timeout_seconds: Annotated[int, number_within(1, 86400, bits=32)] | None = None


class SessionAffinityConfig(Model, frozen=True, kw_only=True):
    """Settings of session affinity. Stored, not used yet."""

    client_ip: ClientIPConfig | None = None


class ServiceSpec(Model, frozen=True, kw_only=True):
    """The desired state of a service.

    `type` is ClusterIP (default), NodePort, LoadBalancer or ExternalName (only a name, without addresses). `clusterIP`
    is the service's address; the master assigns one if it is left out, None makes the service headless. `selector` has
    the labels of the pods; without it the endpoints are yours to write. `sessionAffinity` is None (default) or
    ClientIP. `publishNotReadyAddresses: true` includes pods that are not ready. LoadBalancer, ExternalName and
    ClientIP are stored, but do not work yet.
    """

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
    """An address or host name of a load balancer."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    ports: tuple[dict[str, Any], ...] = ()


class LoadBalancerStatus(Model, frozen=True, kw_only=True):
    """The addresses that a load balancer reported for the service."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Model, frozen=True, kw_only=True):
    """The observed state of a service."""

    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)
    conditions: tuple[dict[str, Any], ...] = ()


class Service(Object, frozen=True, kw_only=True):
    """A stable address and a name for the pods that its selector selects. Connections are spread over ready pods."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)
