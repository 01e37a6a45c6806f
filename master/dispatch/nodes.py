"""Node objects, as their agents describe them.

Owns creating the object at the first Hello, and its labels, addresses, capacity, node information and conditions.
Writes when something has changed, and otherwise every 5 minutes. The node life cycle (master/controllers) marks a node
Unknown.
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
from master.api.resources import Resources
from master.clock import Clock
from master.dispatch.convert import node_address
from master.dispatch.errors import InvalidMessage, Occupied
from master.dispatch.sanity import MAX_CONDITIONS, MAX_TEXT, MAX_WORD
from master.kinds import NODE
from master.kinds.core.node import (
    Node,
    NodeAddress,
    NodeCondition,
    NodeFeatures,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from master.objects.meta import ObjectMeta, parse_time, timestamp
from master.schema.quantity import canonical
from proto.gen import observed_pb2

CALLER: Final = component("dispatch")
REFRESH: Final = timedelta(minutes=5)
_MAX_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """A node as its agent describes it in a Hello."""

    name: str
    pod_cidr: str
    info: observed_pb2.NodeInfo
    capacity: observed_pb2.Capacity


class Nodes:
    """Writes Node objects."""

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock

    async def register(self, node: NodeDescription) -> None:
        """Creates or updates the object. Raises Occupied when another node has the address, InvalidMessage."""
        self._check_address(node)
        try:
            if self._resources.cache.get(NODE, "", node.name) is None:
                await self._create(node)
            await self._resources.mutate(CALLER, NODE, "", node.name, lambda stored: _labelled(stored, node))
            await self._resources.mutate(
                CALLER, NODE, "", node.name, lambda stored: self._described(stored, node), subresource="status"
            )
        except Conflict as error:
            raise Occupied(f"node {node.name} cannot be registered: {error}") from error
        except Invalid as error:
            raise InvalidMessage(f"node {node.name} cannot be registered: {error}") from error

    async def unregister(self, name: str) -> None:
        """Deletes the object."""
        with contextlib.suppress(NotFound):
            await self._resources.delete(CALLER, NODE, "", name)

    async def observed(
        self, name: str, capacity: observed_pb2.Capacity, conditions: Iterable[observed_pb2.Condition]
    ) -> None:
        """A heartbeat. Writes it to the Node only if it reports something new, or if the last written one is old.

        Raises InvalidMessage when there are too many conditions; a condition stays once it has been reported.
        """
        reported = list(conditions)
        stored = self._resources.cache.get(NODE, "", name)
        if stored is None or self._after_heartbeat(stored, capacity, reported) is None:
            return
        try:
            await self._resources.mutate(
                CALLER,
                NODE,
                "",
                name,
                lambda node: self._after_heartbeat(node, capacity, reported),
                subresource="status",
            )
        except NotFound:
            return  # deleted meanwhile; its session ends

    def _check_address(self, node: NodeDescription) -> None:
        for other in self._resources.cache.list(NODE):
            if other.metadata.name != node.name and node_address(other) == node.info.address:
                raise Occupied(
                    f"node {node.name} has the address {node.info.address} of node {other.metadata.name}; "
                    "set node_address in agent.toml to an address that only this machine has"
                )

    async def _create(self, node: NodeDescription) -> None:
        spec = NodeSpec(pod_cidr=node.pod_cidr, pod_cidrs=(node.pod_cidr,))
        meta = ObjectMeta(name=node.name, labels=_labels(node))
        status = self._status(NodeStatus(conditions=(self._starting(),)), node)
        try:
            await self._resources.create(CALLER, NODE, Node(metadata=meta, spec=spec, status=status))
        except AlreadyExists:
            return  # a person created it meanwhile

    def _described(self, stored: Node, node: NodeDescription) -> Node | None:
        status = self._status(stored.status, node)
        if not status.conditions:
            status = msgspec.structs.replace(status, conditions=(self._starting(),))
        return None if status == stored.status else msgspec.structs.replace(stored, status=status)

    def _status(self, status: NodeStatus, node: NodeDescription) -> NodeStatus:
        info = node.info
        return msgspec.structs.replace(
            status,
            capacity={**status.capacity, **_quantities(node.capacity)},
            allocatable={**status.allocatable, **_quantities(node.capacity)},
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
            features=NodeFeatures(supplemental_groups_policy=info.supplemental_groups_policy),
            runtime_handlers=(_default_handler(info),),
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

    def _after_heartbeat(
        self, node: Node, capacity: observed_pb2.Capacity, conditions: list[observed_pb2.Condition]
    ) -> Node | None:
        now = self._clock.now()
        merged = _merged(node.status.conditions, conditions, timestamp(now))
        if len(merged) > max(MAX_CONDITIONS, len(node.status.conditions)):
            raise InvalidMessage(f"conditions: {len(merged)} different types, at most {MAX_CONDITIONS} are allowed")
        # People and device plugins write further resources, such as example.com/gpu, which agents do not report.
        reported = _quantities(capacity) if capacity.cpu_millis else {}
        status = msgspec.structs.replace(
            node.status,
            conditions=merged,
            capacity={**node.status.capacity, **reported},
            allocatable={**node.status.allocatable, **reported},
        )
        same = (status.capacity, status.allocatable) == (node.status.capacity, node.status.allocatable)
        same = same and _content(merged) == _content(node.status.conditions)
        if same and not _old(node.status.conditions, now):
            return None
        return msgspec.structs.replace(node, status=status)


def _default_handler(info: observed_pb2.NodeInfo) -> NodeRuntimeHandler:
    """The features of the node's engine, which is its only handler. No engine has a user namespace for each pod."""
    features = NodeRuntimeHandlerFeatures(recursive_read_only_mounts=info.read_only_trees, user_namespaces=False)
    return NodeRuntimeHandler(name="", features=features)


def _merged(
    before: tuple[NodeCondition, ...], reported: list[observed_pb2.Condition], now: str
) -> tuple[NodeCondition, ...]:
    """The conditions updated by the reported ones. The transition time changes only with the status."""
    known = {condition.type: condition for condition in before}
    for condition in reported:
        old = known.get(condition.type)
        since = old.last_transition_time if old and old.status == condition.status else now
        known[condition.type] = NodeCondition(
            type=condition.type,
            status=condition.status,
            reason=condition.reason[:MAX_WORD],
            message=condition.message[:MAX_TEXT],
            last_heartbeat_time=now,
            last_transition_time=since,
        )
    # Clients show the last condition as the node's state, so Ready goes last, as in Kubernetes.
    return tuple(sorted(known.values(), key=lambda condition: (condition.type == "Ready", condition.type)))


def _content(conditions: tuple[NodeCondition, ...]) -> list[tuple[str, str, str, str]]:
    """The conditions without their times."""
    return [(c.type, c.status, c.reason, c.message) for c in conditions]


def _old(conditions: tuple[NodeCondition, ...], now: datetime) -> bool:
    times = [parse_time(c.last_heartbeat_time) for c in conditions if c.last_heartbeat_time]
    # A time in the future was written before the clock was set back.
    return not times or not timedelta() <= now - max(times) < REFRESH


def _labels(node: NodeDescription) -> dict[str, str]:
    """Kubernetes' well-known labels, and those of agent.toml."""
    labels = {
        "kubernetes.io/arch": node.info.architecture,
        "kubernetes.io/os": node.info.operating_system,
        "beta.kubernetes.io/arch": node.info.architecture,
        "beta.kubernetes.io/os": node.info.operating_system,
    }
    if len(node.name) <= _MAX_LABEL:
        labels["kubernetes.io/hostname"] = node.name
    return labels | dict(node.info.labels)


def _labelled(stored: Node, node: NodeDescription) -> Node | None:
    """The node with the agent's labels and pod CIDR; other labels stay."""
    labels = stored.metadata.labels | _labels(node)
    spec = stored.spec
    if spec.pod_cidr != node.pod_cidr:
        spec = msgspec.structs.replace(spec, pod_cidr=node.pod_cidr, pod_cidrs=(node.pod_cidr,))
    if labels == stored.metadata.labels and spec == stored.spec:
        return None
    return msgspec.structs.replace(stored, metadata=msgspec.structs.replace(stored.metadata, labels=labels), spec=spec)


def _quantities(capacity: observed_pb2.Capacity) -> dict[str, str]:
    """The capacity in the canonical form that the API stores, so that equal amounts compare equal."""
    return {
        "cpu": canonical(f"{capacity.cpu_millis}m"),
        "ephemeral-storage": canonical(f"{capacity.ephemeral_storage_bytes // 1024}Ki"),
        "memory": canonical(f"{capacity.memory_bytes // 1024}Ki"),
        "pods": canonical(f"{capacity.pods}"),
    }
