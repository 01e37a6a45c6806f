"""ReplicaSet: keeps a number of identical pods running. Deployments make them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import field
from msgspec.structs import replace

from master.kinds.autoscaling.scale import SCALE
from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.workload.columns import CONTAINERS, CURRENT, DESIRED, IMAGES, READY, SELECTOR, containers
from master.kinds.workload.condition import WorkloadCondition
from master.kinds.workload.selector import check_selector_stays, check_workload_selector
from master.kinds.workload.status import check_replicas, status_part
from master.kinds.workload.template import check_lasting_template, default_template
from master.objects.index import LABEL, LABEL_SELECTOR, OWNER
from master.objects.labelselector import to_text
from master.objects.meta import LabelSelector, Model, Object, always
from master.objects.scalars import Natural, Natural64
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed


class ReplicaSetSpec(Model, frozen=True, kw_only=True):
    """The desired number of pods, the selector of the pods that count, and the template of new pods.

    `replicas` defaults to 1. The selector must match the labels of the template, and cannot be changed. A pod counts as
    available when it has been ready for `minReadySeconds` (default 0).
    """

    replicas: Natural | None = None
    min_ready_seconds: Natural = 0
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class ReplicaSetStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of pods. `observedGeneration` is the generation of the spec that they belong to.

    `terminatingReplicas` counts pods that are being deleted; they are in no other number.
    """

    replicas: Natural = always(0)
    fully_labeled_replicas: Natural = 0
    ready_replicas: Natural = 0
    available_replicas: Natural = 0
    terminating_replicas: Natural | None = None
    observed_generation: Natural64 = 0
    conditions: tuple[WorkloadCondition, ...] = ()


class ReplicaSet(Object, frozen=True, kw_only=True):
    """Keeps a number of identical pods running: creates missing ones and deletes surplus ones."""

    spec: ReplicaSetSpec = field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)


class ReplicaSetStrategy(StatusStrategy[ReplicaSet]):
    """The default is one replica. The selector stays, and the template may change."""

    def default(self, obj: ReplicaSet) -> ReplicaSet:
        spec = obj.spec
        replicas = 1 if spec.replicas is None else spec.replicas
        return replace(obj, spec=replace(spec, replicas=replicas, template=default_template(spec.template)))

    def check(self, obj: ReplicaSet, old: ReplicaSet | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        # Kubernetes writes `deployment` here, too.
        check_workload_selector(spec.selector, spec.template.metadata.labels, "deployment", findings)
        check_lasting_template(spec.template, old.spec.template if old else None, "ReplicaSet", findings)

    def check_update(self, new: ReplicaSet, old: ReplicaSet, findings: Findings) -> None:
        check_selector_stays(new.spec.selector, old.spec.selector, findings)


def _cells(obj: ReplicaSet, now: datetime) -> Sequence[Cell]:
    return (
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.ready_replicas,
        age(obj.metadata.creation_timestamp, now),
        *containers(obj.spec.template),
        to_text(obj.spec.selector) or "<none>",
    )


_TABLE = Table(
    (
        NAME,
        DESIRED,
        CURRENT,
        READY,
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _cells,
)

REPLICASET = Resource(
    kind="ReplicaSet",
    plural="replicasets",
    group="apps",
    schema=Typed(ReplicaSet),
    short_names=("rs",),
    categories=("all",),
    subresources=(status_part(check_replicas), SCALE),
    strategy=ReplicaSetStrategy(),
    table=_TABLE,
    has_generation=True,
    indexes=(OWNER, LABEL, LABEL_SELECTOR),
)
