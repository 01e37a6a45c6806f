"""NodeMetrics: what a node uses (`kubectl top node`), from the heartbeats of its agent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import field

from master.api.resources import Resources
from master.api.usages import NodeUsage
from master.kinds.core.node import NODE
from master.kinds.metrics.figures import COLUMNS, cells, quantities, window
from master.objects.meta import Object, ObjectMeta, always, timestamp
from master.objects.scalars import Quantity, Time
from master.registry.resource import Resource
from master.registry.table import Cell, Table
from master.schema.partial import Meta
from master.schema.schema import Typed


class NodeMetrics(Object, frozen=True, kw_only=True):
    """What a node uses.

    `usage` has `cpu`, the average of the `window` before `timestamp`, and `memory`: all memory of the machine without
    what is available to new processes.
    """

    timestamp: Time = always("")
    window: str = always("")
    usage: dict[str, Quantity] = field(default_factory=dict)


class _Measured:
    """Makes an object of each node whose agent has reported its usage lately. It has the labels of the node."""

    async def all(self, resources: Resources, namespace: str) -> Sequence[NodeMetrics]:
        return [
            _metrics(entry.name, entry.meta, usage)
            for entry in resources.cache.entries(NODE, "")
            if (usage := resources.usages.usage(entry.name)) is not None
        ]

    async def one(self, resources: Resources, namespace: str, name: str) -> NodeMetrics | None:
        entry, usage = resources.cache.entry(NODE, "", name), resources.usages.usage(name)
        return None if entry is None or usage is None else _metrics(name, entry.meta, usage)


def _metrics(name: str, node: Meta | ObjectMeta, usage: NodeUsage) -> NodeMetrics:
    measured = timestamp(usage.measured_at)
    return NodeMetrics(
        api_version="metrics.k8s.io/v1beta1",
        kind="NodeMetrics",
        metadata=ObjectMeta(name=name, labels=dict(node.labels), creation_timestamp=measured),
        timestamp=measured,
        window=window(usage.window_s),
        usage=quantities(usage.cpu_millis, usage.memory_bytes),
    )


def _cells(metrics: NodeMetrics, now: datetime) -> Sequence[Cell]:
    return cells(metrics.metadata.name, metrics.usage, metrics.window)


NODEMETRICS = Resource(
    kind="NodeMetrics",
    plural="nodes",
    schema=Typed(NodeMetrics),
    group="metrics.k8s.io",
    version="v1beta1",
    namespaced=False,
    verbs=("get", "list"),
    table=Table(COLUMNS, _cells),
    computed=_Measured(),
)
