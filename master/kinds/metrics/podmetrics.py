"""PodMetrics: what the containers of a pod use (`kubectl top pod`). Agents do not measure it yet, so there are none."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import field

from master.api.errors import NotFound
from master.api.resources import Resources
from master.objects.meta import Model, Object, always
from master.objects.scalars import Quantity, Time
from master.registry.resource import Resource
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


class _Unmeasured:
    """Has no objects, because agents report the usage of machines only."""

    async def all(self, resources: Resources, namespace: str) -> Sequence[PodMetrics]:
        return ()

    async def one(self, resources: Resources, namespace: str, name: str) -> PodMetrics | None:
        raise NotFound(
            f'pods.metrics.k8s.io "{name}" not found: the nodes do not measure what pods use yet, only what they use '
            "themselves (`kubectl top node`)",
            name=name,
            group="metrics.k8s.io",
            kind="pods",
        )


PODMETRICS = Resource(
    kind="PodMetrics",
    plural="pods",
    schema=Typed(PodMetrics),
    group="metrics.k8s.io",
    version="v1beta1",
    verbs=("get", "list"),
    computed=_Unmeasured(),
)
