"""Node: a machine that runs pods."""

from __future__ import annotations

from typing import Any, Final

from msgspec import field

from master.objects.kind import KindSpec
from master.objects.meta import Model, Object, always
from master.objects.scalars import Natural64, PortIfAny, Quantity, Required, Time

CORDONED_BY_DRAIN: Final = "io.sampan.cordoned-by-drain"
"""Annotation: the node has been cordoned for its own leaving, so that nobody else's cordon is taken back with that."""


class Taint(Model, frozen=True, kw_only=True):
    """Keeps away pods that do not tolerate it."""

    key: Required = always("")
    value: str = ""
    effect: str = always("")
    time_added: Time = ""


class NodeSpec(Model, frozen=True, kw_only=True):
    """What is wanted of a node."""

    pod_cidr: str = ""
    pod_cidrs: tuple[str, ...] = ()
    provider_id: str = ""
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeCondition(Model, frozen=True, kw_only=True):
    """One condition; Ready is True, False (the agent says so) or Unknown (the agent is silent)."""

    type: str = always("")
    status: str = always("")
    last_heartbeat_time: Time = ""
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class NodeAddress(Model, frozen=True, kw_only=True):
    """One address: InternalIP, ExternalIP, Hostname."""

    type: str = always("")
    address: str = always("")


class DaemonEndpoint(Model, frozen=True, kw_only=True):
    """A port of a daemon on the node."""

    port: PortIfAny = field(default_factory=int, name="Port")


class NodeDaemonEndpoints(Model, frozen=True, kw_only=True):
    """The ports of the node's daemons; an agent of ours opens none."""

    kubelet_endpoint: DaemonEndpoint = field(default_factory=DaemonEndpoint)


class NodeSystemInfo(Model, frozen=True, kw_only=True):
    """What the machine is and runs."""

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
    """An image that the node has."""

    names: tuple[str, ...] = ()
    size_bytes: Natural64 = 0


class NodeStatus(Model, frozen=True, kw_only=True):
    """What a node is, as its agent and the node life cycle saw it."""

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


NODE = KindSpec(
    kind="Node",
    plural="nodes",
    model=Node,
    namespaced=False,
    short_names=("no",),
    subresources=("status",),
    fields={"spec.unschedulable": lambda node: "true" if node.spec.unschedulable else "false"},
    has_generation=True,
)
