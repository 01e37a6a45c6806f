"""Decides when a node is silent, becomes Unknown and loses its pods. Pure functions; times are monotonic seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from master.component.podstate import READY, is_active, is_ready, with_condition
from master.kinds.core.node import Node, NodeCondition
from master.kinds.core.pod.model import Pod, PodCondition
from master.objects.meta import timestamp

UNKNOWN = "Unknown"
# kubelet's conditions: all of them become Unknown with the node.
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(slots=True)
class Silence:
    """What the controller remembers about one node. Times are monotonic seconds."""

    # When this controller first saw the node: the start of the grace period while there is no heartbeat.
    known_since: float
    # When the node had been silent for the grace period; None while heartbeats arrive.
    silent_since: float | None = None
    # While most nodes are silent, no eviction timer runs: timers restart from this time.
    held_until: float = 0.0
    # The node's pods have been deleted.
    evicted: bool = False


def grace_start(silence: Silence, *, last_seen: float | None, started_at: float, stalled_at: float) -> float:
    """The start of the grace period: the last heartbeat, or the time from which this master could have received one."""
    return max(last_seen if last_seen is not None else silence.known_since, started_at, stalled_at)


def step(silence: Silence, *, grace_start: float, grace_s: float, now: float) -> None:
    """Updates whether the node is silent."""
    if now - grace_start < grace_s:
        silence.silent_since = None
        silence.evicted = False
    elif silence.silent_since is None:
        silence.silent_since = now


def to_evict(nodes: Mapping[str, Silence], *, eviction_s: float, now: float) -> list[str]:
    """The nodes whose pods are to be evicted now.

    When more than half of the nodes are silent, the fault is more likely the master's own or the network's, and no pod
    is evicted. Nodes evicted earlier do not count: they did not fall silent together with these.
    """
    counted = [silence for silence in nodes.values() if not silence.evicted]
    silent = {name: s for name, s in nodes.items() if s.silent_since is not None and not s.evicted}
    if len(silent) * 2 > len(counted):
        for silence in silent.values():
            silence.held_until = now
        return []
    return [name for name, s in silent.items() if now - max(s.silent_since or now, s.held_until) >= eviction_s]


def ready_status(node: Node | None) -> str:
    """The status of the node's Ready condition; empty when it has none."""
    conditions = node.status.conditions if node is not None else ()
    return next((c.status for c in conditions if c.type == READY), "")


def unknown(node: Node, now: datetime) -> Node | None:
    """The node with all its conditions Unknown; None when they already are."""
    before = {c.type: c for c in node.status.conditions}
    types = [*_CONDITIONS, *(t for t in before if t not in _CONDITIONS)]
    conditions = tuple(_unknown_condition(type_, before.get(type_), now) for type_ in types)
    if set(conditions) == set(node.status.conditions):
        return None
    return msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, conditions=conditions))


def _unknown_condition(type_: str, before: NodeCondition | None, now: datetime) -> NodeCondition:
    if before is None:
        return NodeCondition(
            type=type_,
            status=UNKNOWN,
            reason="NodeStatusNeverUpdated",
            message="The agent never posted node status.",
            last_transition_time=timestamp(now),
        )
    if before.status == UNKNOWN:
        return before
    return msgspec.structs.replace(
        before,
        status=UNKNOWN,
        reason="NodeStatusUnknown",
        message="The agent stopped posting node status.",
        last_transition_time=timestamp(now),
    )


def ready_pods(pods: Iterable[Pod]) -> list[Pod]:
    """The pods of a node that are marked Ready."""
    return [pod for pod in pods if is_ready(pod)]


def active_pods(pods: Iterable[Pod]) -> list[Pod]:
    """The pods of a node that are to be evicted."""
    return [pod for pod in pods if is_active(pod)]


def not_ready(pod: Pod, now: datetime) -> Pod | None:
    """The pod with Ready=False, which takes it out of its services; None when it is not ready already."""
    if not is_ready(pod):
        return None
    message = f"Node {pod.spec.node_name} does not answer."
    return with_condition(pod, PodCondition(type=READY, status="False", reason="NodeNotReady", message=message), now)
