"""Pod: containers on one node that share a network address and volumes."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import field

from master.kinds.core.pod.affinity import Affinity, Toleration, TopologySpreadConstraint
from master.kinds.core.pod.container import (
    SELINUX_EFFECT,
    WINDOWS_EFFECT,
    Container,
    ContainerStatus,
    EphemeralContainer,
    ResourceRequirements,
)
from master.kinds.core.pod.profiles import (
    AppArmorProfile,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from master.kinds.core.pod.status import (
    NodeAllocatableResourceClaimStatus,
    PodExtendedResourceClaimStatus,
    PodResourceClaimStatus,
    PodVolumeHealth,
)
from master.kinds.core.pod.volume import Volume
from master.objects.meta import LocalObjectReference, Model, Object, ObjectMeta, always
from master.objects.scalars import (
    Id,
    Int32,
    Natural,
    Natural64,
    Quantity,
    Required,
    Seconds,
    Time,
    choice,
    inert,
    number_within,
    refused,
)

# Of both fields, a response warns about one.
_PRIORITY_EFFECT: Final = "pods of higher priority would be scheduled first"


class HostAlias(Model, frozen=True, kw_only=True):
    """A line in the pod's /etc/hosts: an address and its names."""

    ip: str = always("")
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Model, frozen=True, kw_only=True):
    """An option in resolv.conf, such as ndots."""

    name: str = ""
    value: str | None = None


class PodDNSConfig(Model, frozen=True, kw_only=True):
    """DNS settings in addition to those of `dnsPolicy`: name servers, search domains, options."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodReadinessGate(Model, frozen=True, kw_only=True):
    """A further condition that must be True for the pod to be ready."""

    condition_type: Required = always("")


class PodSchedulingGate(Model, frozen=True, kw_only=True):
    """The pod is not scheduled while it has such a gate."""

    name: Required = always("")


class Sysctl(Model, frozen=True, kw_only=True):
    """A kernel parameter in the pod's namespaces, such as net.core.somaxconn. Nodes refuse unsafe ones."""

    name: Required = always("")
    value: str = always("")


class PodSecurityContext(Model, frozen=True, kw_only=True):
    """Security settings of all containers of the pod. A container's own settings take precedence.

    `fsGroup` owns the pod's volumes, apart from host paths and shares, and is with `supplementalGroups` a group of all
    processes. With `supplementalGroupsPolicy: Strict`, the image adds no groups to these (Merge, the default, lets it).
    Nodes refuse pods with settings that they cannot carry out.
    """

    se_linux_options: Annotated[SELinuxOptions, inert(SELINUX_EFFECT)] | None = None
    windows_options: Annotated[WindowsSecurityContextOptions, refused(WINDOWS_EFFECT)] | None = None
    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[Id, ...] = ()
    supplemental_groups_policy: Annotated[str, choice("Merge", "Strict")] | None = None
    fs_group: Id | None = None
    fs_group_change_policy: Annotated[str, choice("Always", "OnRootMismatch")] | None = None
    sysctls: tuple[Sysctl, ...] = ()
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None
    se_linux_change_policy: (
        Annotated[
            str,
            choice("MountOption", "Recursive"),
            inert("the files of volumes would get the SELinux label in this way"),
        ]
        | None
    ) = None


class PodOS(Model, frozen=True, kw_only=True):
    """The operating system of the pod's containers: linux or windows."""

    name: Annotated[str, choice("linux", "windows"), refused("the pod would run on Windows", values=("windows",))] = (
        always("")
    )


class PodResourceClaim(Model, frozen=True, kw_only=True):
    """Devices that the pod needs: a resource claim by its name, or one that is made from a template."""

    name: Required = always("")
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSchedulingGroup(Model, frozen=True, kw_only=True):
    """The group of pods that are scheduled together with this one."""

    pod_group_name: str | None = None


class EvictionResponder(Model, frozen=True, kw_only=True):
    """A component that takes part in the eviction of the pod."""

    name: Required = always("")
    priority: Natural = always(0)


class PodSpec(Model, frozen=True, kw_only=True):
    """The desired state of a pod. After creation only images, activeDeadlineSeconds and tolerations can be changed.

    `initContainers` run one after the other before the `containers` start. `restartPolicy` is Always (default),
    OnFailure or Never. `terminationGracePeriodSeconds` (default 30) is the time in seconds between SIGTERM and SIGKILL.
    `activeDeadlineSeconds` is the longest run time of the pod in seconds; default: no limit. `nodeName` is the node;
    the scheduler sets it. `nodeSelector` has labels that the node must have. `hostNetwork: true` gives the pod the
    network of its node. `enableServiceLinks` (default true) makes environment variables for the namespace's services.
    `ephemeralContainers` are added to a running pod by its subresource.
    """

    volumes: tuple[Volume, ...] = ()
    init_containers: tuple[Container, ...] = ()
    containers: tuple[Container, ...] = always(())
    ephemeral_containers: tuple[EphemeralContainer, ...] = ()
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
    # Without effect, but for those of a node's health: see inert.py.
    tolerations: tuple[Toleration, ...] = ()
    # Without effect in the host's network: see inert.py.
    host_aliases: tuple[HostAlias, ...] = ()
    priority_class_name: Annotated[str, inert(_PRIORITY_EFFECT)] = ""
    priority: Annotated[Int32, inert(_PRIORITY_EFFECT)] | None = None
    dns_config: PodDNSConfig | None = None
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    runtime_class_name: Annotated[str, refused("the containers would run in this runtime")] | None = None
    enable_service_links: bool | None = None
    # Nothing is evicted for a pod, so the default asks for more than Never; but it is the default.
    preemption_policy: (
        Annotated[
            str,
            choice("Never", "PreemptLowerPriority"),
            inert(
                "pods of lower priority would be evicted for this one",
                unless=("Never", "PreemptLowerPriority"),
            ),
        ]
        | None
    ) = None
    overhead: dict[str, Quantity] = field(default_factory=dict)
    topology_spread_constraints: Annotated[
        tuple[TopologySpreadConstraint, ...], inert("the scheduler would spread the pods over groups of nodes")
    ] = ()
    set_hostname_as_fqdn: bool | None = None
    os: PodOS | None = None
    host_users: (
        Annotated[bool, refused("the users in the containers would be other ones than on the node", values=(False,))]
        | None
    ) = None
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    resource_claims: Annotated[
        tuple[PodResourceClaim, ...], inert("the pod would wait for these devices and get them")
    ] = ()
    resources: (
        Annotated[ResourceRequirements, inert("all containers together would have these requests and limits")] | None
    ) = None
    hostname_override: str | None = None
    scheduling_group: (
        Annotated[PodSchedulingGroup, inert("the pods of the group would be scheduled together")] | None
    ) = None
    eviction_responders: Annotated[
        tuple[EvictionResponder, ...], inert("these components would take part in an eviction of the pod")
    ] = ()


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
    observed_generation: Natural64 = 0


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
    observed_generation: Natural64 = 0
    resource_claim_statuses: tuple[PodResourceClaimStatus, ...] = ()
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    node_allocatable_resource_claim_statuses: tuple[NodeAllocatableResourceClaimStatus, ...] = ()
    allocated_resources: dict[str, Quantity] = field(default_factory=dict)
    resources: ResourceRequirements | None = None
    volume_health: tuple[PodVolumeHealth, ...] = ()


class Pod(Object, frozen=True, kw_only=True):
    """Containers on one node that share a network address and volumes."""

    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class PodTemplateSpec(Model, frozen=True, kw_only=True):
    """Labels, annotations and spec of the pods that a controller creates."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)
