"""Service: a stable address for the pods that its selector selects."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import field

from master.kinds.conditions import Condition
from master.objects.meta import Model, Object, always
from master.objects.scalars import Int32, PortIfAny, choice, inert, number_within

# Of both fields, a response warns about one.
_AFFINITY_EFFECT: Final = "the connections of a client would go to the same endpoint"


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
    """Settings of session affinity."""

    client_ip: ClientIPConfig | None = None


class ServiceSpec(Model, frozen=True, kw_only=True):
    """The desired state of a service.

    `type` is ClusterIP (default), NodePort, LoadBalancer or ExternalName (only a name, without addresses). `clusterIP`
    is the service's address; the master assigns one if it is left out, None makes the service headless. `selector` has
    the labels of the pods; without it the endpoints are yours to write. `sessionAffinity` is None (default) or
    ClientIP. `publishNotReadyAddresses: true` includes pods that are not ready.
    """

    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)
    cluster_ip: str = ""
    cluster_ips: tuple[str, ...] = ()
    type: Annotated[
        str,
        inert("it would get an address outside of the cluster", unless=("ClusterIP", "ExternalName", "NodePort")),
    ] = ""
    external_ips: Annotated[tuple[str, ...], inert("nodes would accept connections to these addresses")] = ()
    session_affinity: Annotated[str, choice("", "ClientIP", "None"), inert(_AFFINITY_EFFECT, unless=("None",))] = ""
    load_balancer_ip: Annotated[str, inert("the load balancer would get this address")] = ""
    load_balancer_source_ranges: Annotated[
        tuple[str, ...], inert("the load balancer would accept only clients in these ranges")
    ] = ()
    external_name: str = ""
    external_traffic_policy: Annotated[
        str,
        choice("", "Cluster", "Local"),
        inert("connections from outside would stay on the node that they reach", unless=("Cluster",)),
    ] = ""
    health_check_node_port: Annotated[PortIfAny, inert("nodes would answer health checks on this port")] = 0
    publish_not_ready_addresses: bool = False
    session_affinity_config: Annotated[SessionAffinityConfig, inert(_AFFINITY_EFFECT)] | None = None
    ip_families: tuple[Annotated[str, choice("IPv4", "IPv6")], ...] = ()
    ip_family_policy: Annotated[str, choice("PreferDualStack", "RequireDualStack", "SingleStack")] | None = None
    allocate_load_balancer_node_ports: (
        Annotated[bool, inert("a service of type LoadBalancer would have no node ports", unless=(True,))] | None
    ) = None
    load_balancer_class: Annotated[str, inert("a load balancer of this class would serve the service")] | None = None
    internal_traffic_policy: (
        Annotated[
            str,
            choice("Cluster", "Local"),
            inert("connections from pods would stay on their node", unless=("Cluster",)),
        ]
        | None
    ) = None
    traffic_distribution: Annotated[str, inert("connections would prefer endpoints that are near")] | None = None


class PortStatus(Model, frozen=True, kw_only=True):
    """The state of a port of a load balancer. `error` is the reason why the port does not work."""

    port: PortIfAny = always(0)
    protocol: str = always("")
    error: str | None = None


class LoadBalancerIngress(Model, frozen=True, kw_only=True):
    """An address or host name of a load balancer."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    ports: tuple[PortStatus, ...] = ()


class LoadBalancerStatus(Model, frozen=True, kw_only=True):
    """The addresses that a load balancer reported for the service."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Model, frozen=True, kw_only=True):
    """The observed state of a service."""

    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)
    conditions: tuple[Condition, ...] = ()


class Service(Object, frozen=True, kw_only=True):
    """A stable address and a name for the pods that its selector selects. Connections are spread over ready pods."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)
