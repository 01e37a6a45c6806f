"""Nodes: their state, roles, version, addresses and system."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from master.api.kinds.node import Node
from master.api.tables.columns import AGE, NAME, Cell, Column, Table, age

_ROLE = "node-role.kubernetes.io/"


def _state(node: Node) -> str:
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    # Unknown is shown as NotReady, as kubectl's users know it; the condition tells the two apart.
    said = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    return f"{said},SchedulingDisabled" if node.spec.unschedulable else said


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
        Column("Status", description="Whether it is ready."),
        Column("Roles", description="From its labels."),
        AGE,
        Column("Version", description="Of its agent."),
        Column("Internal-IP", priority=1, description="Its address in the cluster."),
        Column("External-IP", priority=1, description="Its address outside."),
        Column("OS-Image", priority=1, description="Its distribution."),
        Column("Kernel-Version", priority=1, description="Its kernel."),
        Column("Container-Runtime", priority=1, description="Its engine."),
    ),
    cells=_cells,
)
