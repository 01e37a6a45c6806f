"""Node: a machine that runs pods."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from msgspec import field
from msgspec.structs import replace

from master.kinds.addresses import endpoint_address
from master.kinds.quantities import canonical_quantities
from master.objects.meta import Model, Object, always
from master.objects.scalars import Natural64, PortIfAny, Quantity, Required, Time, inert
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy, keep_status
from master.registry.subresource import METADATA, Part, Proxy, Served
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.cause import Cause
from master.schema.checks import Findings
from master.schema.schema import Typed

_ROLE: Final = "node-role.kubernetes.io/"
_ADDRESS_KEY: Final = "/unique/nodeaddress/"
CORDONED_BY_DRAIN: Final = "io.sampan.cordoned-by-drain"
"""Annotation: `sampan leave` cordoned this node. Only such a cordon is undone when the node stays after all."""


class Taint(Model, frozen=True, kw_only=True):
    """Keeps pods without a matching toleration off the node.

    `effect` is NoSchedule (no new pods), PreferNoSchedule (new pods only if no other node fits) or NoExecute (also
    evicts running pods).
    """

    key: Required = always("")
    value: str = ""
    effect: str = always("")
    time_added: Time = ""


class ConfigMapNodeConfigSource(Model, frozen=True, kw_only=True):
    """The key of a config map that has the node's configuration."""

    namespace: Required = always("")
    name: Required = always("")
    uid: str = ""
    resource_version: str = ""
    kubelet_config_key: Required = always("")


class NodeConfigSource(Model, frozen=True, kw_only=True):
    """The source of a node's configuration. Kubernetes does not support it any more."""

    config_map: ConfigMapNodeConfigSource | None = None


class NodePodPreemptionPolicy(Model, frozen=True, kw_only=True):
    """Resources whose growth in one pod evicts no other pod of the node."""

    disable_resize_preemption: tuple[str, ...] = ()


class NodeSpec(Model, frozen=True, kw_only=True):
    """The desired state of a node.

    `unschedulable: true` (`kubectl cordon`) keeps new pods off the node. `podCIDR` is the range of the addresses of its
    pods; the master assigns it, and it cannot be changed.
    """

    pod_cidr: str = ""
    pod_cidrs: Annotated[tuple[str, ...], inert("pods would get addresses of these ranges too")] = ()
    provider_id: str = ""
    unschedulable: bool = False
    taints: Annotated[tuple[Taint, ...], inert("pods without a matching toleration would be kept off the node")] = ()
    config_source: Annotated[NodeConfigSource, inert("the node would get its configuration from there")] | None = None
    external_id: str = ""
    pod_preemption_policy: (
        Annotated[NodePodPreemptionPolicy, inert("a pod that grows would evict no other pods")] | None
    ) = None


class NodeCondition(Model, frozen=True, kw_only=True):
    """One aspect of a node's health. The condition Ready is True, False (the agent reports a problem) or Unknown (the
    master gets no heartbeat from the agent).
    """

    type: str = always("")
    status: str = always("")
    last_heartbeat_time: Time = ""
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class NodeAddress(Model, frozen=True, kw_only=True):
    """One address of the node. `type` is InternalIP, ExternalIP or Hostname."""

    type: str = always("")
    address: str = always("")


class DaemonEndpoint(Model, frozen=True, kw_only=True):
    """The port of a daemon on the node; 0: none."""

    port: PortIfAny = field(default_factory=int, name="Port")


class NodeDaemonEndpoints(Model, frozen=True, kw_only=True):
    """The ports of the node's daemons. Sampan's agent listens on none."""

    kubelet_endpoint: DaemonEndpoint = field(default_factory=DaemonEndpoint)


class NodeSwapStatus(Model, frozen=True, kw_only=True):
    """The node's swap memory in bytes."""

    capacity: Natural64 | None = None


class NodeSystemInfo(Model, frozen=True, kw_only=True):
    """Identity and software of the machine. `kubeletVersion` is the version of Sampan's agent."""

    machine_id: str = always("")
    system_uuid: str = always("")
    boot_id: str = always("")
    kernel_version: str = always("")
    os_image: str = always("")
    container_runtime_version: str = always("")
    kubelet_version: str = always("")
    kube_proxy_version: str = always("")
    operating_system: str = always("")
    architecture: str = always("")
    swap: NodeSwapStatus | None = None
    running_in_user_namespace: bool | None = None


class ContainerImage(Model, frozen=True, kw_only=True):
    """A container image on the node, with its names and its size in bytes."""

    names: tuple[str, ...] = ()
    size_bytes: Natural64 = 0


class AttachedVolume(Model, frozen=True, kw_only=True):
    """A volume that is attached to the node as a device."""

    name: str = always("")
    device_path: str = always("")


class NodeRuntimeHandlerFeatures(Model, frozen=True, kw_only=True):
    """What containers of a runtime can have."""

    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Model, frozen=True, kw_only=True):
    """A container runtime of the node; an empty name means the default one."""

    name: str = always("")
    features: NodeRuntimeHandlerFeatures | None = None


class NodeConfigStatus(Model, frozen=True, kw_only=True):
    """The state of the node's configuration from `configSource`."""

    assigned: NodeConfigSource | None = None
    active: NodeConfigSource | None = None
    last_known_good: NodeConfigSource | None = None
    error: str = ""


class NodeFeatures(Model, frozen=True, kw_only=True):
    """What the node's container engine can do."""

    supplemental_groups_policy: bool | None = None


class NodeStatus(Model, frozen=True, kw_only=True):
    """The observed state of a node, from its agent and the master.

    `capacity` has the node's resources (cpu in cores, memory in bytes), `allocatable` the part for pods.
    """

    capacity: dict[str, Quantity] = field(default_factory=dict)
    allocatable: dict[str, Quantity] = field(default_factory=dict)
    phase: str = ""
    conditions: tuple[NodeCondition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    daemon_endpoints: NodeDaemonEndpoints | None = None
    node_info: NodeSystemInfo = field(default_factory=NodeSystemInfo)
    images: tuple[ContainerImage, ...] = ()
    volumes_in_use: tuple[str, ...] = ()
    volumes_attached: tuple[AttachedVolume, ...] = ()
    config: NodeConfigStatus | None = None
    runtime_handlers: tuple[NodeRuntimeHandler, ...] = ()
    features: NodeFeatures | None = None
    declared_features: tuple[str, ...] = ()


class Node(Object, frozen=True, kw_only=True):
    """A machine that runs pods."""

    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class NodeStrategy(Strategy[Node]):
    """The pod CIDR of a node cannot be changed. No two nodes have the same InternalIP."""

    def keys(self, obj: Node) -> frozenset[str]:
        internal = (address.address for address in obj.status.addresses if address.type == "InternalIP")
        return frozenset(f"{_ADDRESS_KEY}{text}" for text in internal)

    def key_taken(self, obj: Node, key: str, holder: str) -> Cause:
        address = key.removeprefix(_ADDRESS_KEY)
        index = next(i for i, candidate in enumerate(obj.status.addresses) if candidate.address == address)
        why = f'Invalid value: "{address}": is already the address of {holder.replace("nodes//", "node ")}'
        return Cause("FieldValueInvalid", why, f"status.addresses[{index}].address")

    def default(self, obj: Node) -> Node:
        obj = replace(obj, status=_completed(obj.status))
        if CORDONED_BY_DRAIN in obj.metadata.annotations and not obj.spec.unschedulable:
            # Uncordoning removes the annotation, so that it does not apply to the next cordon.
            annotations = {key: value for key, value in obj.metadata.annotations.items() if key != CORDONED_BY_DRAIN}
            obj = replace(obj, metadata=replace(obj.metadata, annotations=annotations))
        return obj

    def for_update(self, new: Node, old: Node, now: datetime) -> Node:
        return keep_status(new, old)

    def check(self, obj: Node, old: Node | None, findings: Findings, keyspace: Keyspace) -> None:
        for index, taint in enumerate(obj.spec.taints):
            effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
            findings.one_of(f"spec.taints[{index}].effect", taint.effect, effects)
        # All other nodes make routes from the pod CIDR and the address, so both must be valid.
        if obj.spec.pod_cidr:
            try:
                ipaddress.IPv4Network(obj.spec.pod_cidr)
            except ValueError as error:
                findings.invalid("spec.podCIDR", obj.spec.pod_cidr, str(error))
        _check_status(obj, old, findings)

    def check_update(self, new: Node, old: Node, findings: Findings) -> None:
        if old.spec.pod_cidr and new.spec.pod_cidr != old.spec.pod_cidr:
            findings.forbidden("spec.podCIDR", 'node updates may not change podCIDR except from "" to valid')


def _completed(status: NodeStatus) -> NodeStatus:
    """The status with quantities in their stored form. Without allocatable resources, all are allocatable."""
    capacity = canonical_quantities(status.capacity)
    return replace(
        status,
        capacity=capacity,
        allocatable=canonical_quantities(status.allocatable) or capacity,
        daemon_endpoints=status.daemon_endpoints or NodeDaemonEndpoints(),
    )


def _take_status(new: Node, old: Node) -> Node:
    return replace(old, status=_completed(new.status))


def _check_status(new: Node, old: Node | None, findings: Findings) -> None:
    for index, address in enumerate(new.status.addresses):
        if address.type == "InternalIP":
            endpoint_address(f"status.addresses[{index}].address", address.address, findings)


def _state(node: Node) -> str:
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    # As in Kubernetes, a Ready condition with status Unknown is shown as NotReady.
    state = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    return f"{state},SchedulingDisabled" if node.spec.unschedulable else state


def _roles(node: Node) -> str:
    roles = {key.removeprefix(_ROLE) for key in node.metadata.labels if key.startswith(_ROLE)}
    return ",".join(sorted(roles)) or "<none>"


def _address(node: Node, kind: str) -> str:
    return next((a.address for a in node.status.addresses if a.type == kind), "<none>")


def _cells(node: Node, now: datetime) -> Sequence[Cell]:
    info = node.status.node_info
    return (
        node.metadata.name,
        _state(node),
        _roles(node),
        age(node.metadata.creation_timestamp, now),
        info.kubelet_version,
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        info.os_image or "<unknown>",
        info.kernel_version or "<unknown>",
        info.container_runtime_version or "<unknown>",
    )


_TABLE = Table(
    columns=(
        NAME,
        Column("Status", description="Whether the node is ready and accepts new pods."),
        Column("Roles", description="The roles in the node's labels."),
        AGE,
        Column("Version", description="The version of the node's agent."),
        Column("Internal-IP", priority=1, description="The node's address inside the cluster."),
        Column("External-IP", priority=1, description="The node's address outside the cluster."),
        Column("OS-Image", priority=1, description="The node's distribution."),
        Column("Kernel-Version", priority=1, description="The node's kernel."),
        Column("Container-Runtime", priority=1, description="The node's container engine."),
    ),
    cells=_cells,
)

NODE = Resource(
    kind="Node",
    plural="nodes",
    schema=Typed(Node),
    namespaced=False,
    short_names=("no",),
    aliases=("minions",),
    subresources=(
        Part("status", take=_take_status, attribute="status", check=_check_status, metadata=METADATA),
        Proxy("proxy", served=Served("NodeProxyOptions")),
    ),
    strategy=NodeStrategy(),
    table=_TABLE,
    fields={"spec.unschedulable": lambda node: "true" if node.spec.unschedulable else "false"},
    hot=True,
)
