"""Pod: containers that share a network and volumes on one node."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.api.kinds.affinity import Affinity, Toleration, TopologySpreadConstraint
from master.api.kinds.container import Container, ContainerStatus
from master.api.kinds.volume import Volume
from master.objects.kind import KindSpec
from master.objects.meta import LocalObjectReference, Model, Object, ObjectMeta, always
from master.objects.scalars import Id, Int32, Quantity, Required, Seconds, Time, choice, number_within


class HostAlias(Model, frozen=True, kw_only=True):
    """A line of the pod's hosts file."""

    ip: str = always("")
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Model, frozen=True, kw_only=True):
    """A resolver option."""

    name: str = ""
    value: str | None = None


class PodDNSConfig(Model, frozen=True, kw_only=True):
    """What the resolver is told beside the DNS policy."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodReadinessGate(Model, frozen=True, kw_only=True):
    """A condition that must hold for the pod to be ready."""

    condition_type: Required = always("")


class PodSchedulingGate(Model, frozen=True, kw_only=True):
    """Holds the pod back from the scheduler while it is there."""

    name: Required = always("")


class Sysctl(Model, frozen=True, kw_only=True):
    """A kernel parameter of the pod's namespaces."""

    name: Required = always("")
    value: str = always("")


class PodSecurityContext(Model, frozen=True, kw_only=True):
    """As whom all containers of the pod run, where they do not say it themselves."""

    se_linux_options: dict[str, Any] | None = None
    windows_options: dict[str, Any] | None = None
    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[Id, ...] = ()
    supplemental_groups_policy: Annotated[str, choice("Merge", "Strict")] | None = None
    fs_group: Id | None = None
    fs_group_change_policy: Annotated[str, choice("Always", "OnRootMismatch")] | None = None
    sysctls: tuple[Sysctl, ...] = ()
    seccomp_profile: dict[str, Any] | None = None
    app_armor_profile: dict[str, Any] | None = None


class PodOS(Model, frozen=True, kw_only=True):
    """The operating system that the pod is for."""

    name: Annotated[str, choice("linux", "windows")] = always("")


class PodSpec(Model, frozen=True, kw_only=True):
    """What is wanted of a pod. Immutable after creation but for images and a few others."""

    volumes: tuple[Volume, ...] = ()
    init_containers: tuple[Container, ...] = ()
    containers: tuple[Container, ...] = always(())
    ephemeral_containers: tuple[dict[str, Any], ...] = ()
    restart_policy: str = ""
    termination_grace_period_seconds: Seconds | None = None
    active_deadline_seconds: Annotated[int, number_within(1)] | None = None
    dns_policy: str = ""
    node_selector: dict[str, str] = field(default_factory=dict)
    service_account_name: str = ""
    service_account: str = ""
    automount_service_account_token: bool | None = None
    node_name: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool | None = None
    security_context: PodSecurityContext | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    affinity: Affinity | None = None
    scheduler_name: str = ""
    tolerations: tuple[Toleration, ...] = ()
    host_aliases: tuple[HostAlias, ...] = ()
    priority_class_name: str = ""
    priority: Int32 | None = None
    dns_config: PodDNSConfig | None = None
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    runtime_class_name: str | None = None
    enable_service_links: bool | None = None
    preemption_policy: Annotated[str, choice("Never", "PreemptLowerPriority")] | None = None
    overhead: dict[str, Quantity] = field(default_factory=dict)
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    set_hostname_as_fqdn: bool | None = None
    os: PodOS | None = None
    host_users: bool | None = None
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    resource_claims: tuple[dict[str, Any], ...] = ()


class PodCondition(Model, frozen=True, kw_only=True):
    """One condition: PodScheduled, Initialized, ContainersReady, Ready."""

    type: str = always("")
    status: str = always("")
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class PodIP(Model, frozen=True, kw_only=True):
    """One address of the pod."""

    ip: str = always("")


class HostIP(Model, frozen=True, kw_only=True):
    """One address of the pod's node."""

    ip: str = always("")


class PodStatus(Model, frozen=True, kw_only=True):
    """What a pod is, as its node saw it."""

    phase: Annotated[str, choice("", "Failed", "Pending", "Running", "Succeeded", "Unknown")] = ""
    conditions: tuple[PodCondition, ...] = ()
    message: str = ""
    reason: str = ""
    nominated_node_name: str = ""
    host_ip: str = ""
    host_ips: tuple[HostIP, ...] = ()
    pod_ip: str = ""
    pod_ips: tuple[PodIP, ...] = ()
    start_time: Time = ""
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: str = ""
    resize: str = ""


class Pod(Object, frozen=True, kw_only=True):
    """Containers that share a network and volumes on one node."""

    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class PodTemplateSpec(Model, frozen=True, kw_only=True):
    """What a pod made from a template looks like."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)


POD = KindSpec(
    kind="Pod",
    plural="pods",
    model=Pod,
    short_names=("po",),
    categories=("all",),
    subresources=("status", "binding", "log"),
    fields={
        "spec.nodeName": lambda pod: pod.spec.node_name,
        "spec.restartPolicy": lambda pod: pod.spec.restart_policy,
        "spec.schedulerName": lambda pod: pod.spec.scheduler_name,
        "spec.serviceAccountName": lambda pod: pod.spec.service_account_name,
        "spec.hostNetwork": lambda pod: "true" if pod.spec.host_network else "false",
        "status.phase": lambda pod: pod.status.phase,
        "status.podIP": lambda pod: pod.status.pod_ip,
        "status.nominatedNodeName": lambda pod: pod.status.nominated_node_name,
    },
    has_generation=True,
)
