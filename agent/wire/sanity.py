"""Checks the master's messages before anything of them is applied.

The rules for items and stream requests are those of both sides (proto/checks.py). An item that breaks one is taken out
of its cut: the others must not wait for it. Without the node's own configuration no cut makes sense, so a bad one is
Garbled. Brings the master's periods within bounds. Reads nothing but the message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from agent.wire.errors import Garbled
from proto import checks
from proto.gen import session_pb2

LONGEST_HEARTBEAT_MS: Final = 300_000
SHORTEST_HEARTBEAT_MS: Final = 10
LONGEST_GRACE_MS: Final = 24 * 3600 * 1000
_DEFAULTS: Final = session_pb2.Periods(next_heartbeat_ms=10_000, grace_ms=40_000)

_SHOWN: Final = 60
"""Characters of a name in a message."""
_MAX_KEY: Final = 300
"""Characters of a key in a refusal. No valid key has more, and the refusals of a hostile master must stay small."""

_FIELDS: Final = {
    "pods": "pod",
    "services": "service",
    "endpoints": "endpoints",
    "endpoint_slices": "endpoint slice",
    "peers": "peer",
    "config_maps": "config map",
    "secrets": "secret",
}
"""The repeated fields of a cut, and what one item of them is."""

Ref = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that is not applied. `field`: of the cut; `key`: as in the desired state."""

    field: str
    key: str | Ref
    namespace: str
    name: str
    problem: str

    @property
    def is_pod(self) -> bool:
        return self.field == "pods"

    def __str__(self) -> str:
        where = f"{self.namespace[:_SHOWN]}/" if self.namespace else ""
        return f"{_FIELDS[self.field]} {where}{self.name[:_SHOWN]}: {self.problem}"


def check_node(cut: session_pb2.Cut) -> None:
    """Check the node's own configuration. Raises Garbled."""
    if cut.HasField("node") and (wrong := checks.node(cut.node)):
        raise Garbled(f"this node's configuration: {wrong}")


def take_out(cut: session_pb2.Cut) -> Iterator[Refusal]:
    """Remove the items that break a rule from the cut, and yield them."""
    for field in _FIELDS:
        items = getattr(cut, field)
        for index in range(len(items) - 1, -1, -1):
            if wrong := checks.problem(items[index]):
                yield _refusal(field, items[index], wrong)
                del items[index]


def check_stream(request: session_pb2.StreamRequest) -> str:
    """What is wrong with a request for a stream; empty if nothing is."""
    match request.WhichOneof("what"):
        case "logs":
            return checks.logs(request.logs)
        case "exec":
            return checks.process(request.exec, command=True)
        case "attach":
            return checks.process(request.attach, command=False)
        case "port_forward":
            return checks.port_forward(request.port_forward)
        case "node_query":
            return checks.node_query(request.node_query)
        case _:
            return "this node's agent knows no such stream; upgrade it"


def sensible(periods: session_pb2.Periods) -> session_pb2.Periods:
    """The master's periods brought within bounds: heartbeats neither without pause nor once a year."""
    heartbeat_ms = periods.next_heartbeat_ms or _DEFAULTS.next_heartbeat_ms
    heartbeat_ms = min(max(heartbeat_ms, SHORTEST_HEARTBEAT_MS), LONGEST_HEARTBEAT_MS)
    grace_ms = min(max(periods.grace_ms or _DEFAULTS.grace_ms, 2 * heartbeat_ms), LONGEST_GRACE_MS)
    return session_pb2.Periods(next_heartbeat_ms=heartbeat_ms, grace_ms=grace_ms)


def _refusal(field: str, item: Any, wrong: str) -> Refusal:
    match field:
        case "pods":
            return Refusal(field, item.uid[:_MAX_KEY], item.namespace[:_MAX_KEY], item.name[:_MAX_KEY], wrong)
        case "peers":
            return Refusal(field, item.name[:_MAX_KEY], "", item.name[:_MAX_KEY], wrong)
        case _:
            namespace, name = item.ref.namespace[:_MAX_KEY], item.ref.name[:_MAX_KEY]
            return Refusal(field, (namespace, name), namespace, name, wrong)
