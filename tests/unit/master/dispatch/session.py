"""A session of node `n` without a connection: what the master's view sends, and what the agent holds of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from agent.desired.state import DesiredState
from master.dispatch.outbox import Outbox
from master.dispatch.view import View
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.pod.model import Pod
from master.objects.meta import ObjectMeta
from proto.gen import session_pb2


@dataclass(frozen=True)
class Change:
    kind: Any
    type: str
    obj: Any


def node(address: str = "10.0.0.1") -> Node:
    status = NodeStatus(addresses=(NodeAddress(type="InternalIP", address=address),))
    return Node(metadata=ObjectMeta(name="n"), spec=NodeSpec(pod_cidr="10.244.0.0/24"), status=status)


class Session:
    """A session of node `n`: the master's view, and the agent's state."""

    def __init__(self, *objects: Any) -> None:
        self.problems: list[str] = []
        self.view = View(
            "10.244.0.0/16", "10.96.0.0/16", on_unsendable=lambda _, problem: self.problems.append(problem)
        )
        self.view.load(1, [(None, obj) for obj in (node(), *objects)])  # type: ignore[misc]
        self.outbox, self.state = Outbox(), DesiredState()
        self.outbox.attach()
        self._take()

    def change(self, obj: Any, kind: str = "MODIFIED") -> None:
        dirty = self.view.apply(self.view.revision + 1, [Change(None, kind, obj)])
        if keys := dirty.common(slices=True) | dirty.nodes.get("n", set()):
            self.outbox.mark(keys)
        self._take()

    def _take(self) -> None:
        for raw in self.outbox.take(self.view, "n"):
            self.state.receive(session_pb2.DesiredMessage.FromString(raw).cut, member=True)

    def pods(self) -> dict[str, Any]:
        return {pod.name: pod for pod in self.state.for_pods().pods.values()}


def pod(**metadata: Any) -> Pod:
    meta = {"name": "web", "namespace": "default", "uid": "u1", "creationTimestamp": "2026-11-28T00:00:00Z"} | metadata
    return msgspec.convert(
        {"metadata": meta, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}}, Pod
    )
