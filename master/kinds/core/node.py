"""Node: a machine that runs pods."""

from __future__ import annotations

from typing import Any, Final

from msgspec import field

from master.objects.meta import Model, Object, always
from master.objects.scalars import Natural64, PortIfAny, Quantity, Required, Time
from master.registry.resource import Resource

CORDONED_BY_DRAIN: Final = "io.sampan.cordoned-by-drain"
"""Annotation: `sampan leave` cordoned this node. Only such a cordon is undone when the node stays after all."""


class Taint(Model, frozen=True, kw_only=True):
    """Keeps pods without a matching toleration off the node. Stored, not used yet.

    `effect` is NoSchedule (no new pods), PreferNoSchedule (new pods only if no other node fits) or NoExecute (also
    evicts running pods).
    """

    key: Required = always("")
    value: str = ""
    effect: str = always("")
    time_added: Time = ""


class NodeSpec(Model, frozen=True, kw_only=True):
    """The desired state of a node.

    `unschedulable: true` (`kubectl cordon`) keeps new pods off the node. `podCIDR` is the range of the addresses of its
    pods; the master assigns it, and it cannot be changed.
    """

    pod_cidr: str = ""
    pod_cidrs: tuple[str, ...] = ()
    provider_id: str = ""
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


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


class ContainerImage(Model, frozen=True, kw_only=True):
    """A container image on the node, with its names and its size in bytes."""

    names: tuple[str, ...] = ()
    size_bytes: Natural64 = 0


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
    volumes_attached: tuple[dict[str, Any], ...] = ()
    runtime_handlers: tuple[dict[str, Any], ...] = ()


class Node(Object, frozen=True, kw_only=True):
    """A machine that runs pods."""

    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


NODE = Resource(
    kind="Node",
    plural="nodes",
    model=Node,
    namespaced=False,
    short_names=("no",),
    subresources=("status",),
    fields={"spec.unschedulable": lambda node: "true" if node.spec.unschedulable else "false"},
    has_generation=True,
    hot=True,
)
