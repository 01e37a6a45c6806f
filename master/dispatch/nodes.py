"""Node objects, as their agents describe them.

Owns what is written of a node: the object at its first Hello, its labels, addresses, capacity, node information and
conditions. Written when something changed, else every 5 minutes. Turning a node Unknown is the node life cycle's
(master/controllers).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from master.api.errors import AlreadyExists, Conflict, Invalid, NotFound
from master.api.identity import component
from master.api.kinds import NODE
from master.api.kinds.node import Node, NodeAddress, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo
from master.api.quantity import canonical
from master.api.resources import Resources
from master.clock import Clock
from master.dispatch.convert import node_address
from master.dispatch.errors import Misfit, Occupied
from master.dispatch.sanity import MAX_CONDITIONS, MAX_TEXT, MAX_WORD
from master.objects.meta import ObjectMeta, parse_time, timestamp
from proto.gen import observed_pb2

CALLER: Final = component("dispatch")
REFRESH: Final = timedelta(minutes=5)
_MAX_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class Described:
    """What a Hello says of a node."""

    name: str
    pod_cidr: str
    info: observed_pb2.NodeInfo
    capacity: observed_pb2.Capacity


class Nodes:
    """Writes Node objects."""

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock

    async def register(self, node: Described) -> None:
        """Make the object, or bring it up to date. Raises Occupied when another node has the address, Misfit."""
        self._check_address(node)
        try:
            if self._resources.cache.get(NODE, "", node.name) is None:
                await self._create(node)
            await self._resources.mutate(CALLER, NODE, "", node.name, lambda found: _labelled(found, node))
            await self._resources.mutate(
                CALLER, NODE, "", node.name, lambda found: self._described(found, node), subresource="status"
            )
        except Conflict as error:
            raise Occupied(f"node {node.name} cannot be registered: {error}") from error
        except Invalid as error:
            raise Misfit(f"node {node.name} cannot be registered: {error}") from error

    async def unregister(self, name: str) -> None:
        """Take the object back."""
        with contextlib.suppress(NotFound):
            await self._resources.delete(CALLER, NODE, "", name)

    async def observed(
        self, name: str, capacity: observed_pb2.Capacity, conditions: Iterable[observed_pb2.Condition]
    ) -> None:
        """A heartbeat: written when it says something new, or the last one written is old.

        Raises Misfit when the conditions, which stay once reported, have become too many.
        """
        reported = list(conditions)
        found = self._resources.cache.get(NODE, "", name)
        if found is None or self._beaten(found, capacity, reported) is None:
            return
        try:
            await self._resources.mutate(
                CALLER, NODE, "", name, lambda node: self._beaten(node, capacity, reported), subresource="status"
            )
        except NotFound:
            return  # deleted meanwhile: its session ends

    def _check_address(self, node: Described) -> None:
        for other in self._resources.cache.list(NODE):
            if other.metadata.name != node.name and node_address(other) == node.info.address:
                raise Occupied(
                    f"node {node.name} has the address {node.info.address} of node {other.metadata.name}; "
                    "set node_address in agent.toml to an address that is this machine's alone"
                )

    async def _create(self, node: Described) -> None:
        spec = NodeSpec(pod_cidr=node.pod_cidr, pod_cidrs=(node.pod_cidr,))
        meta = ObjectMeta(name=node.name, labels=_labels(node))
        status = self._status(NodeStatus(conditions=(self._starting(),)), node)
        try:
            await self._resources.create(CALLER, NODE, Node(metadata=meta, spec=spec, status=status))
        except AlreadyExists:
            return  # by hand, a moment ago

    def _described(self, found: Node, node: Described) -> Node | None:
        status = self._status(found.status, node)
        if not status.conditions:
            status = msgspec.structs.replace(status, conditions=(self._starting(),))
        return None if status == found.status else msgspec.structs.replace(found, status=status)

    def _status(self, status: NodeStatus, node: Described) -> NodeStatus:
        info = node.info
        return msgspec.structs.replace(
            status,
            capacity=_quantities(node.capacity),
            allocatable=_quantities(node.capacity),
            addresses=(
                NodeAddress(type="InternalIP", address=info.address),
                NodeAddress(type="Hostname", address=info.hostname or node.name),
            ),
            node_info=NodeSystemInfo(
                machine_id=info.machine_id,
                system_uuid=info.machine_id,
                boot_id=info.boot_id,
                kernel_version=info.kernel_version,
                os_image=info.os_image,
                container_runtime_version=info.container_runtime_version,
                kubelet_version=info.agent_version,
                kube_proxy_version=info.agent_version,
                operating_system=info.operating_system,
                architecture=info.architecture,
            ),
        )

    def _starting(self) -> NodeCondition:
        now = timestamp(self._clock.now())
        return NodeCondition(
            type="Ready",
            status="False",
            reason="AgentStarting",
            message="the agent has not reported yet",
            last_heartbeat_time=now,
            last_transition_time=now,
        )

    def _beaten(
        self, node: Node, capacity: observed_pb2.Capacity, conditions: list[observed_pb2.Condition]
    ) -> Node | None:
        now = self._clock.now()
        merged = _merged(node.status.conditions, conditions, timestamp(now))
        if len(merged) > max(MAX_CONDITIONS, len(node.status.conditions)):
            raise Misfit(f"conditions: {len(merged)} different ones by now, {MAX_CONDITIONS} at most")
        quantities = _quantities(capacity) if capacity.cpu_millis else dict(node.status.capacity)
        same = quantities == node.status.capacity and _said(merged) == _said(node.status.conditions)
        if same and not _old(node.status.conditions, now):
            return None
        status = msgspec.structs.replace(node.status, conditions=merged, capacity=quantities, allocatable=quantities)
        return msgspec.structs.replace(node, status=status)


def _merged(
    before: tuple[NodeCondition, ...], reported: list[observed_pb2.Condition], now: str
) -> tuple[NodeCondition, ...]:
    """The conditions with what was reported: a transition is dated when the status changes."""
    known = {each.type: each for each in before}
    for each in reported:
        old = known.get(each.type)
        since = old.last_transition_time if old and old.status == each.status else now
        known[each.type] = NodeCondition(
            type=each.type,
            status=each.status,
            reason=each.reason[:MAX_WORD],
            message=each.message[:MAX_TEXT],
            last_heartbeat_time=now,
            last_transition_time=since,
        )
    # Clients show the last condition as the node's state: Ready goes there, as Kubernetes has it.
    return tuple(sorted(known.values(), key=lambda each: (each.type == "Ready", each.type)))


def _said(conditions: tuple[NodeCondition, ...]) -> list[tuple[str, str, str, str]]:
    """What the conditions say, times aside."""
    return [(each.type, each.status, each.reason, each.message) for each in conditions]


def _old(conditions: tuple[NodeCondition, ...], now: datetime) -> bool:
    times = [parse_time(each.last_heartbeat_time) for each in conditions if each.last_heartbeat_time]
    # Of the future are those from before the clock was set back.
    return not times or not timedelta() <= now - max(times) < REFRESH


def _labels(node: Described) -> dict[str, str]:
    """Kubernetes' well-known labels, and the configured ones."""
    labels = {
        "kubernetes.io/arch": node.info.architecture,
        "kubernetes.io/os": node.info.operating_system,
        "beta.kubernetes.io/arch": node.info.architecture,
        "beta.kubernetes.io/os": node.info.operating_system,
    }
    if len(node.name) <= _MAX_LABEL:
        labels["kubernetes.io/hostname"] = node.name
    return labels | dict(node.info.labels)


def _labelled(found: Node, node: Described) -> Node | None:
    """With the agent's labels; labels that people set stay."""
    labels = found.metadata.labels | _labels(node)
    spec = found.spec
    if spec.pod_cidr != node.pod_cidr:
        spec = msgspec.structs.replace(spec, pod_cidr=node.pod_cidr, pod_cidrs=(node.pod_cidr,))
    if labels == found.metadata.labels and spec == found.spec:
        return None
    return msgspec.structs.replace(found, metadata=msgspec.structs.replace(found.metadata, labels=labels), spec=spec)


def _quantities(capacity: observed_pb2.Capacity) -> dict[str, str]:
    """In the form in which the API stores them, so that they compare."""
    return {
        "cpu": canonical(f"{capacity.cpu_millis}m"),
        "ephemeral-storage": canonical(f"{capacity.ephemeral_storage_bytes // 1024}Ki"),
        "memory": canonical(f"{capacity.memory_bytes // 1024}Ki"),
        "pods": canonical(f"{capacity.pods}"),
    }
