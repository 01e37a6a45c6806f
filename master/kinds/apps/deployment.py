"""Deployment: pods of one template, which are replaced step by step when the template changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import field
from msgspec.structs import replace

from master.kinds.autoscaling.scale import SCALE
from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.legacy.deployment import DEPLOYMENT_V1BETA1
from master.kinds.workload.columns import CONTAINERS, IMAGES, SELECTOR, containers
from master.kinds.workload.rolling import (
    ROLLING_UPDATE,
    IntOrPercent,
    amount,
    check_int_or_percent,
    with_rolling_update,
)
from master.kinds.workload.selector import check_selector_stays, check_workload_selector
from master.kinds.workload.status import check_at_most, check_not_less, status_part
from master.kinds.workload.template import check_lasting_template, default_template
from master.objects.index import LABEL_SELECTOR, OWNER
from master.objects.labelselector import to_text
from master.objects.meta import LabelSelector, Model, Object, always
from master.objects.scalars import Natural, Natural64, Time
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed

RECREATE = "Recreate"
_QUARTER = "25%"
_HISTORY = 10
_DEADLINE_S = 600


class RollingUpdateDeployment(Model, frozen=True, kw_only=True):
    """How far a rolling update may deviate from the desired number of pods.

    `maxSurge` pods may be added (percentages are rounded up), `maxUnavailable` may be missing (rounded down); both are
    numbers or percentages and default to 25%. At least one of them must not be 0.
    """

    max_unavailable: IntOrPercent | None = None
    max_surge: IntOrPercent | None = None


class DeploymentStrategy(Model, frozen=True, kw_only=True):
    """How old pods are replaced: RollingUpdate (default), or Recreate, which deletes all old pods first."""

    type: str = ""
    rolling_update: RollingUpdateDeployment | None = None


class DeploymentSpec(Model, frozen=True, kw_only=True):
    """The desired number of pods, their template, and how they are replaced.

    `replicas` defaults to 1. The selector must match the labels of the template, and cannot be changed. A pod counts as
    available when it has been ready for `minReadySeconds` (default 0). Of old replica sets, `revisionHistoryLimit`
    (default 10) are kept for rollbacks. While `paused` is true, changes of the template have no effect. A rollout that
    makes no progress for `progressDeadlineSeconds` (default 600) is reported as failed, and goes on.
    """

    replicas: Natural | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    strategy: DeploymentStrategy = field(default_factory=DeploymentStrategy)
    min_ready_seconds: Natural = 0
    revision_history_limit: Natural | None = None
    paused: bool = False
    progress_deadline_seconds: Natural | None = None


class DeploymentCondition(Model, frozen=True, kw_only=True):
    """One aspect of the state: Available, Progressing or ReplicaFailure. `status` is True, False or Unknown."""

    type: str = always("")
    status: str = always("")
    last_update_time: Time = ""
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class DeploymentStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of pods. `observedGeneration` is the generation of the spec that they belong to.

    `updatedReplicas` have the current template. `terminatingReplicas` are being deleted, and in no other number.
    `collisionCount` counts hashes of templates that were taken by other replica sets.
    """

    observed_generation: Natural64 = 0
    replicas: Natural = 0
    updated_replicas: Natural = 0
    ready_replicas: Natural = 0
    available_replicas: Natural = 0
    unavailable_replicas: Natural = 0
    terminating_replicas: Natural | None = None
    conditions: tuple[DeploymentCondition, ...] = ()
    collision_count: Natural | None = None


class Deployment(Object, frozen=True, kw_only=True):
    """Keeps pods of one template running, and replaces them step by step when the template changes."""

    spec: DeploymentSpec = field(default_factory=DeploymentSpec)
    status: DeploymentStatus = field(default_factory=DeploymentStatus)


_ROLLING: Final = RollingUpdateDeployment(max_unavailable=_QUARTER, max_surge=_QUARTER)


class DeploymentRules(StatusStrategy[Deployment]):
    """Defaults and checks of deployments."""

    def default(self, obj: Deployment) -> Deployment:
        spec = obj.spec
        history, deadline = spec.revision_history_limit, spec.progress_deadline_seconds
        spec = replace(
            spec,
            replicas=1 if spec.replicas is None else spec.replicas,
            template=default_template(spec.template),
            strategy=with_rolling_update(spec.strategy, _ROLLING),
            revision_history_limit=_HISTORY if history is None else history,
            progress_deadline_seconds=_DEADLINE_S if deadline is None else deadline,
        )
        return replace(obj, spec=spec)

    def check(self, obj: Deployment, old: Deployment | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        check_workload_selector(spec.selector, spec.template.metadata.labels, "deployment", findings)
        check_lasting_template(spec.template, old.spec.template if old else None, "ReplicaSet", findings)
        _check_strategy(spec.strategy, findings)
        deadline = spec.progress_deadline_seconds
        # A negative number is reported already.
        if deadline is not None and 0 <= deadline <= spec.min_ready_seconds:
            findings.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")

    def check_update(self, new: Deployment, old: Deployment, findings: Findings) -> None:
        check_selector_stays(new.spec.selector, old.spec.selector, findings)

    def moves_generation(self, new: Deployment, old: Deployment) -> bool:
        """Annotations count, because replica sets get them from the deployment."""
        return new.metadata.annotations != old.metadata.annotations or super().moves_generation(new, old)


def _check_strategy(strategy: DeploymentStrategy, findings: Findings) -> None:
    at, rolling = "spec.strategy.rollingUpdate", strategy.rolling_update
    if strategy.type == RECREATE:
        if rolling is not None:
            findings.forbidden(at, f"may not be specified when strategy `type` is '{RECREATE}'")
    elif strategy.type != ROLLING_UPDATE:
        findings.unsupported("spec.strategy", strategy, (RECREATE, ROLLING_UPDATE))
    elif rolling is not None:
        check_int_or_percent(rolling.max_unavailable, f"{at}.maxUnavailable", findings, at_most_all=True)
        check_int_or_percent(rolling.max_surge, f"{at}.maxSurge", findings, at_most_all=False)
        if not amount(rolling.max_unavailable) and not amount(rolling.max_surge):
            findings.invalid(f"{at}.maxUnavailable", rolling.max_unavailable, "may not be 0 when `maxSurge` is 0")


def check_status(new: Deployment, old: Deployment, findings: Findings) -> None:
    """No number is larger than the one that includes it."""
    names = ("updated_replicas", "ready_replicas", "available_replicas")
    check_at_most(new.status, names, "replicas", findings)
    check_at_most(new.status, ("available_replicas",), "ready_replicas", findings)
    check_not_less(new, old, "collision_count", findings)


def _cells(obj: Deployment, now: datetime) -> Sequence[Cell]:
    status = obj.status
    return (
        obj.metadata.name,
        f"{status.ready_replicas}/{obj.spec.replicas or 0}",
        status.updated_replicas,
        status.available_replicas,
        age(obj.metadata.creation_timestamp, now),
        *containers(obj.spec.template),
        to_text(obj.spec.selector),
    )


_TABLE = Table(
    (
        NAME,
        Column("Ready", description="The number of ready pods, and the desired number."),
        Column("Up-to-date", description="The number of pods with the current template."),
        Column("Available", description="The number of pods that have been ready for minReadySeconds."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _cells,
)

DEPLOYMENT = Resource(
    kind="Deployment",
    plural="deployments",
    group="apps",
    schema=Typed(Deployment),
    served=(DEPLOYMENT_V1BETA1,),
    short_names=("deploy",),
    categories=("all",),
    subresources=(status_part(check_status, labels=False), SCALE),
    strategy=DeploymentRules(),
    table=_TABLE,
    has_generation=True,
    indexes=(OWNER, LABEL_SELECTOR),
)
