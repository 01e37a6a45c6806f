"""Pod: containers on one node that share a network address and volumes."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.kinds.core.pod.affinity import Affinity, Toleration, TopologySpreadConstraint
from master.kinds.core.pod.container import Container, ContainerStatus
from master.kinds.core.pod.volume import Volume
from master.objects.index import LABEL, NODE, OWNER
from master.objects.meta import LocalObjectReference, Model, Object, ObjectMeta, always
from master.objects.scalars import Id, Int32, Quantity, Required, Seconds, Time, choice, number_within
from master.registry.resource import Resource


class HostAlias(Model, frozen=True, kw_only=True):
    """A line in the pod's /etc/hosts: an address and its names."""

    ip: str = always("")
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Model, frozen=True, kw_only=True):
    """An option in resolv.conf, such as ndots."""

    name: str = ""
    value: str | None = None


class PodDNSConfig(Model, frozen=True, kw_only=True):
    """DNS settings in addition to those of `dnsPolicy`: name servers, search domains, options. Stored, not used yet."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodReadinessGate(Model, frozen=True, kw_only=True):
    """A further condition that must be True for the pod to be ready. Stored, not used yet."""

    condition_type: Required = always("")


class PodSchedulingGate(Model, frozen=True, kw_only=True):
    """The pod is not scheduled while it has such a gate."""

    name: Required = always("")


class Sysctl(Model, frozen=True, kw_only=True):
    """A kernel parameter in the pod's namespaces, such as net.core.somaxconn. Stored, not used yet."""

    name: Required = always("")
    value: str = always("")


class PodSecurityContext(Model, frozen=True, kw_only=True):
    """Security settings of all containers of the pod. A container's own settings take precedence.

    runAsUser and runAsGroup take effect; the others are stored.
    """

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
    """The operating system of the pod's containers: linux or windows."""

    name: Annotated[str, choice("linux", "windows")] = always("")


class PodSpec(Model, frozen=True, kw_only=True):
    """The desired state of a pod. After creation only images, activeDeadlineSeconds and tolerations can be changed.

    `initContainers` run one after the other before the `containers` start. `restartPolicy` is Always (default),
    OnFailure or Never. `terminationGracePeriodSeconds` (default 30) is the time in seconds between SIGTERM and SIGKILL.
    `activeDeadlineSeconds` is the longest run time of the pod in seconds; default: no limit. `nodeName` is the node;
    the scheduler sets it. `nodeSelector` has labels that the node must have. `hostNetwork: true` gives the pod the
    network of its node. `enableServiceLinks` (default true) makes environment variables for the namespace's services.
    """

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
    """One aspect of a pod's state.

    `type` is PodScheduled, Initialized, ContainersReady or Ready; `status` is True, False or Unknown.
    """

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
    """The observed state of a pod, mostly from its node.

    `phase` is Pending, Running, Succeeded (all containers ended with status 0), Failed or Unknown. `qosClass` is
    Guaranteed, Burstable or BestEffort.
    """

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
    """Containers on one node that share a network address and volumes."""

    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class PodTemplateSpec(Model, frozen=True, kw_only=True):
    """Labels, annotations and spec of the pods that a controller creates."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)


POD = Resource(
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
    indexes=(OWNER, LABEL, NODE),
)
