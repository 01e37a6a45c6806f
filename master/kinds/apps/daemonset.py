"""DaemonSet: one pod on each node that matches. It is stored and checked; its controller does not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import field
from msgspec.structs import replace

from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.workload.columns import CONTAINERS, IMAGES, SELECTOR, containers
from master.kinds.workload.condition import WorkloadCondition
from master.kinds.workload.rolling import (
    ROLLING_UPDATE,
    IntOrPercent,
    amount,
    check_int_or_percent,
    with_rolling_update,
)
from master.kinds.workload.selector import MISMATCH, check_selector, check_selector_stays, is_usable
from master.kinds.workload.status import check_not_less, status_part
from master.kinds.workload.template import check_lasting_template, default_template
from master.objects.index import LABEL_SELECTOR, OWNER
from master.objects.labelselector import is_empty, matches, to_text
from master.objects.meta import LabelSelector, Model, Object, always
from master.objects.scalars import MAX_INT64, Natural, Natural64
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age, pairs
from master.schema.checks import Findings
from master.schema.schema import Typed

ON_DELETE: Final = "OnDelete"
TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
"""The annotation that counts the changes of the template. Only the server changes it."""
_HISTORY = 10


class RollingUpdateDaemonSet(Model, frozen=True, kw_only=True):
    """How many nodes may be without an available pod (`maxUnavailable`, default 1), or may have a second one for the
    time of the update (`maxSurge`, default 0). Numbers or percentages; exactly one of them must not be 0.
    """

    max_unavailable: IntOrPercent | None = None
    max_surge: IntOrPercent | None = None


class DaemonSetUpdateStrategy(Model, frozen=True, kw_only=True):
    """How old pods are replaced: RollingUpdate (default), or OnDelete, only after users delete them."""

    type: str = ""
    rolling_update: RollingUpdateDaemonSet | None = None


class DaemonSetSpec(Model, frozen=True, kw_only=True):
    """The template of the pods. Its node selector and affinity say which nodes get one.

    The selector must match the labels of the template, and cannot be changed. A pod counts as available when it has
    been ready for `minReadySeconds` (default 0). `revisionHistoryLimit` (default 10) old templates are kept.
    """

    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    update_strategy: DaemonSetUpdateStrategy = field(default_factory=DaemonSetUpdateStrategy)
    min_ready_seconds: Natural = 0
    revision_history_limit: Natural | None = None


class DaemonSetStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of nodes. `observedGeneration` is the generation of the spec that they belong to.

    `desiredNumberScheduled` nodes should have a pod, `currentNumberScheduled` of them have one, and
    `numberMisscheduled` others have one too.
    """

    current_number_scheduled: Natural = always(0)
    number_misscheduled: Natural = always(0)
    desired_number_scheduled: Natural = always(0)
    number_ready: Natural = always(0)
    observed_generation: Natural64 = 0
    updated_number_scheduled: Natural = 0
    number_available: Natural = 0
    number_unavailable: Natural = 0
    collision_count: Natural | None = None
    conditions: tuple[WorkloadCondition, ...] = ()


class DaemonSet(Object, frozen=True, kw_only=True):
    """Keeps one pod running on each node that matches."""

    spec: DaemonSetSpec = field(default_factory=DaemonSetSpec)
    status: DaemonSetStatus = field(default_factory=DaemonSetStatus)


_ROLLING: Final = RollingUpdateDaemonSet(max_unavailable=1, max_surge=0)


class DaemonSetStrategy(StatusStrategy[DaemonSet]):
    """Defaults and checks of daemon sets."""

    def default(self, obj: DaemonSet) -> DaemonSet:
        spec = obj.spec
        history = spec.revision_history_limit
        spec = replace(
            spec,
            template=default_template(spec.template),
            update_strategy=with_rolling_update(spec.update_strategy, _ROLLING),
            revision_history_limit=_HISTORY if history is None else history,
        )
        return replace(obj, spec=spec)

    def allocate(self, obj: DaemonSet, old: DaemonSet | None, keyspace: Keyspace) -> DaemonSet:
        """Sets the annotation that counts the changes of the template."""
        if old is None:
            generation = max(1, _template_generation(obj))
        else:
            generation = _template_generation(old) + (obj.spec.template != old.spec.template)
        annotations = {**obj.metadata.annotations, TEMPLATE_GENERATION: str(generation)}
        return replace(obj, metadata=replace(obj.metadata, annotations=annotations))

    def check(self, obj: DaemonSet, old: DaemonSet | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        self._check_selector(spec, findings)
        check_lasting_template(spec.template, old.spec.template if old else None, "DaemonSet", findings)
        _check_strategy(spec.update_strategy, findings)

    def _check_selector(self, spec: DaemonSetSpec, findings: Findings) -> None:
        """Unlike those of other workloads, a selector that cannot be evaluated is reported once."""
        at, selector, labels = "spec.selector", spec.selector, spec.template.metadata.labels
        check_selector(selector, at, findings)
        if (selector is None or is_usable(selector)) and not matches(selector, labels):
            findings.invalid("spec.template.metadata.labels", labels, MISMATCH)
        if selector is not None and is_empty(selector):
            findings.invalid(at, {}, "empty selector is invalid for daemonset")

    def check_update(self, new: DaemonSet, old: DaemonSet, findings: Findings) -> None:
        check_selector_stays(new.spec.selector, old.spec.selector, findings)


def _template_generation(obj: DaemonSet) -> int:
    """The count in the annotation; 0 if there is none."""
    text = obj.metadata.annotations.get(TEMPLATE_GENERATION, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if number <= MAX_INT64 else 0


def _check_strategy(strategy: DaemonSetUpdateStrategy, findings: Findings) -> None:
    at, rolling = "spec.updateStrategy.rollingUpdate", strategy.rolling_update
    if strategy.type == ON_DELETE:
        return
    if strategy.type != ROLLING_UPDATE:
        findings.unsupported("spec.updateStrategy", strategy, (ROLLING_UPDATE, ON_DELETE))
    elif rolling is not None:
        check_int_or_percent(rolling.max_unavailable, f"{at}.maxUnavailable", findings, at_most_all=True)
        check_int_or_percent(rolling.max_surge, f"{at}.maxSurge", findings, at_most_all=True)
        unavailable, surge = amount(rolling.max_unavailable), amount(rolling.max_surge)
        if unavailable and surge:
            why = "may not be set when maxUnavailable is non-zero"
            findings.invalid(f"{at}.maxSurge", rolling.max_surge, why)
        elif not unavailable and not surge:
            findings.required(f"{at}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def check_status(new: DaemonSet, old: DaemonSet, findings: Findings) -> None:
    check_not_less(new, old, "collision_count", findings)


def _cells(obj: DaemonSet, now: datetime) -> Sequence[Cell]:
    status = obj.status
    return (
        obj.metadata.name,
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled,
        status.number_available,
        pairs(obj.spec.template.spec.node_selector),
        age(obj.metadata.creation_timestamp, now),
        *containers(obj.spec.template),
        to_text(obj.spec.selector) or "<none>",
    )


_TABLE = Table(
    (
        NAME,
        Column("Desired", type="integer", description="The number of nodes that should have a pod."),
        Column("Current", type="integer", description="The number of these nodes that have a pod."),
        Column("Ready", type="integer", description="The number of these nodes whose pod is ready."),
        Column("Up-to-date", type="integer", description="The number of nodes whose pod has the current template."),
        Column("Available", type="integer", description="The number of nodes whose pod is available."),
        Column("Node Selector", description="The labels that a node must have."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _cells,
)

DAEMONSET = Resource(
    kind="DaemonSet",
    plural="daemonsets",
    group="apps",
    schema=Typed(DaemonSet),
    short_names=("ds",),
    categories=("all",),
    subresources=(status_part(check_status),),
    strategy=DaemonSetStrategy(),
    table=_TABLE,
    has_generation=True,
    indexes=(OWNER, LABEL_SELECTOR),
)
