"""PodMetrics: what the containers of a pod use (`kubectl top pod`), from the heartbeats of its node's agent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from msgspec import field

from master.api.resources import Resources
from master.api.usages import PodUsage
from master.cache import Entry
from master.kinds.core.node import NODE
from master.kinds.core.pod.resource import POD
from master.kinds.metrics.figures import COLUMNS, cells, nano_quantities, window
from master.objects.index import NODE as BY_NODE
from master.objects.meta import Model, Object, ObjectMeta, always, timestamp
from master.objects.scalars import Quantity, Time
from master.registry.resource import Resource
from master.registry.table import Cell, Table
from master.schema.quantity import total
from master.schema.schema import Typed


class ContainerMetrics(Model, frozen=True, kw_only=True):
    """What a container uses: `cpu` and `memory`."""

    name: str = always("")
    usage: dict[str, Quantity] = field(default_factory=dict)


class PodMetrics(Object, frozen=True, kw_only=True):
    """What the containers of a pod use. `cpu` is the average of the `window` before `timestamp`."""

    timestamp: Time = always("")
    window: str = always("")
    containers: tuple[ContainerMetrics, ...] = always(())


class _Measured:
    """Makes an object of each pod that its own node has reported lately. It has the labels of the pod."""

    async def all(self, resources: Resources, namespace: str) -> Sequence[PodMetrics]:
        return [
            _metrics(entry, usage)
            for node in resources.cache.entries(NODE, "")
            if (usages := resources.usages.pod_usages(node.name))
            for entry in resources.cache.by(POD, BY_NODE, node.name, namespace)
            if (usage := usages.get(entry.meta.uid)) is not None
        ]

    async def one(self, resources: Resources, namespace: str, name: str) -> PodMetrics | None:
        entry = resources.cache.entry(POD, namespace, name)
        if entry is None:
            return None
        usage = resources.usages.pod_usages(entry.obj.spec.node_name).get(entry.meta.uid)
        return None if usage is None else _metrics(entry, usage)


def _metrics(pod: Entry, usage: PodUsage) -> PodMetrics:
    measured = timestamp(usage.measured_at)
    return PodMetrics(
        api_version="metrics.k8s.io/v1beta1",
        kind="PodMetrics",
        metadata=ObjectMeta(
            name=pod.name, namespace=pod.namespace, labels=dict(pod.meta.labels), creation_timestamp=measured
        ),
        timestamp=measured,
        window=window(usage.window_s),
        containers=tuple(
            ContainerMetrics(name=each.name, usage=nano_quantities(each.cpu_nanos, each.memory_bytes))
            for each in usage.containers
        ),
    )


def _cells(metrics: PodMetrics, now: datetime) -> Sequence[Cell]:
    used = {
        resource: reduce(total, (container.usage[resource] for container in metrics.containers))
        for resource in ("cpu", "memory")
    }
    return cells(metrics.metadata.name, used, metrics.window)


PODMETRICS = Resource(
    kind="PodMetrics",
    plural="pods",
    schema=Typed(PodMetrics),
    group="metrics.k8s.io",
    version="v1beta1",
    verbs=("get", "list"),
    table=Table(COLUMNS, _cells),
    computed=_Measured(),
)
