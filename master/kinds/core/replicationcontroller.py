"""ReplicationController: keeps a number of identical pods running."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import field
from msgspec.structs import replace

from master.kinds.autoscaling.scale import SCALE
from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.workload.columns import CONTAINERS, CURRENT, DESIRED, IMAGES, READY, containers
from master.kinds.workload.columns import SELECTOR as SELECTOR_COLUMN
from master.kinds.workload.condition import WorkloadCondition
from master.kinds.workload.selector import MISMATCH
from master.kinds.workload.status import check_replicas, status_part
from master.kinds.workload.template import check_lasting_template, default_template
from master.objects.index import OWNER, SELECTOR
from master.objects.labelselector import matches
from master.objects.meta import Model, Object, always
from master.objects.scalars import Natural, Natural64
from master.registry.deletion import DeletionPolicy, Propagation
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Table, age, pairs
from master.schema.checks import Findings
from master.schema.schema import Typed


class ReplicationControllerSpec(Model, frozen=True, kw_only=True):
    """The desired number of pods, the selector of the pods that count, and the template of new pods.

    `replicas` defaults to 1, `selector` to the labels of the template. A pod counts as available when it has been ready
    for `minReadySeconds` (default 0).
    """

    replicas: Natural | None = None
    min_ready_seconds: Natural = 0
    selector: dict[str, str] = field(default_factory=dict)
    template: PodTemplateSpec | None = None


class ReplicationControllerStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of pods. `observedGeneration` is the generation of the spec that they belong to."""

    replicas: Natural = always(0)
    fully_labeled_replicas: Natural = 0
    ready_replicas: Natural = 0
    available_replicas: Natural = 0
    observed_generation: Natural64 = 0
    conditions: tuple[WorkloadCondition, ...] = ()


class ReplicationController(Object, frozen=True, kw_only=True):
    """Keeps a number of identical pods running: creates missing ones and deletes surplus ones."""

    spec: ReplicationControllerSpec = field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus = field(default_factory=ReplicationControllerStatus)


class ReplicationControllerStrategy(StatusStrategy[ReplicationController]):
    """The defaults are one replica, and the template's labels as selector."""

    def default(self, obj: ReplicationController) -> ReplicationController:
        spec, metadata = obj.spec, obj.metadata
        if spec.template is not None:
            labels = spec.template.metadata.labels
            spec = replace(spec, selector=spec.selector or labels, template=default_template(spec.template))
            metadata = metadata if metadata.labels else replace(metadata, labels=labels)
        return replace(
            obj, metadata=metadata, spec=replace(spec, replicas=1 if spec.replicas is None else spec.replicas)
        )

    def check(
        self, obj: ReplicationController, old: ReplicationController | None, findings: Findings, keyspace: Keyspace
    ) -> None:
        spec = obj.spec
        findings.labels("spec.selector", spec.selector)
        if not spec.selector:
            findings.required("spec.selector")
        template = spec.template
        if template is None:
            findings.required("spec.template")
            return
        labels = template.metadata.labels
        if not matches(spec.selector, labels):
            findings.invalid("spec.template.metadata.labels", labels, MISMATCH)
        before = old.spec.template if old else None
        check_lasting_template(template, before, "ReplicationController", findings)


class ReplicationControllerDeletion(DeletionPolicy[ReplicationController]):
    """As in Kubernetes, the pods of a replication controller stay unless the client asks for their deletion."""

    default_propagation: Propagation = "Orphan"


def _cells(controller: ReplicationController, now: datetime) -> Sequence[Cell]:
    return (
        controller.metadata.name,
        controller.spec.replicas or 0,
        controller.status.replicas,
        controller.status.ready_replicas,
        age(controller.metadata.creation_timestamp, now),
        *containers(controller.spec.template),
        pairs(controller.spec.selector),
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
        SELECTOR_COLUMN,
    ),
    _cells,
)

REPLICATIONCONTROLLER = Resource(
    kind="ReplicationController",
    plural="replicationcontrollers",
    schema=Typed(ReplicationController),
    short_names=("rc",),
    categories=("all",),
    subresources=(status_part(check_replicas), SCALE),
    strategy=ReplicationControllerStrategy(),
    deletion=ReplicationControllerDeletion(),
    table=_TABLE,
    fields={"status.replicas": lambda rc: str(rc.status.replicas)},
    has_generation=True,
    indexes=(OWNER, SELECTOR),
)
