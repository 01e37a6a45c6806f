"""The table of nodes: state, roles, version, addresses and system."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from master.kinds.core.node import Node
from master.registry.table import AGE, NAME, Cell, Column, Table, age

_ROLE = "node-role.kubernetes.io/"


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


NODES = Table(
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
