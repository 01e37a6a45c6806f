"""StatefulSet: pods with lasting names and claims. It is stored and checked; its controller does not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from msgspec import field
from msgspec.structs import replace

from master.kinds.autoscaling.scale import SCALE
from master.kinds.core.pod.claim import PersistentVolumeClaim, check_claim_spec, default_claim
from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.core.pod.storage import PersistentVolumeClaimVolumeSource
from master.kinds.core.pod.volume import Volume
from master.kinds.workload.columns import CONTAINERS, IMAGES, containers
from master.kinds.workload.condition import WorkloadCondition
from master.kinds.workload.rolling import ROLLING_UPDATE, IntOrPercent, amount, check_int_or_percent
from master.kinds.workload.selector import IMMUTABLE, check_selector_stays, check_workload_selector
from master.kinds.workload.status import check_at_most, check_not_less, status_part
from master.kinds.workload.template import check_lasting_template, default_template
from master.objects.index import LABEL_SELECTOR, OWNER
from master.objects.meta import LabelSelector, Model, Object, always, json_name
from master.objects.scalars import Natural, Natural64, choice
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.names import dns_label
from master.schema.schema import Typed

ORDERED: Final = "OrderedReady"
PARALLEL: Final = "Parallel"
ON_DELETE: Final = "OnDelete"
_HISTORY = 10
_FIXED = ("volume_claim_templates", "service_name", "pod_management_policy")
_Retention = Annotated[str, choice("", "Retain", "Delete")]


class RollingUpdateStatefulSetStrategy(Model, frozen=True, kw_only=True):
    """Pods with an ordinal of at least `partition` (default 0) are updated, `maxUnavailable` (default 1) at a time."""

    partition: Natural | None = None
    max_unavailable: IntOrPercent | None = None


class StatefulSetUpdateStrategy(Model, frozen=True, kw_only=True):
    """How old pods are replaced: RollingUpdate (default), or OnDelete, only after users delete them."""

    type: str = ""
    rolling_update: RollingUpdateStatefulSetStrategy | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(Model, frozen=True, kw_only=True):
    """Whether claims are kept (Retain, the default) or deleted (Delete) with the set, or when it is scaled down."""

    when_deleted: _Retention = ""
    when_scaled: _Retention = ""


class StatefulSetOrdinals(Model, frozen=True, kw_only=True):
    """The ordinal of the first pod."""

    start: Natural = always(0)


class StatefulSetSpec(Model, frozen=True, kw_only=True):
    """The desired number of pods, their template, and the templates of the claims that each pod has.

    `replicas` defaults to 1. The selector must match the labels of the template. `serviceName` is the service that
    gives the pods their names in DNS. `podManagementPolicy` is OrderedReady (default: one pod after the other) or
    Parallel. Only replicas, ordinals, template, update strategy, retention policy, minReadySeconds and
    revisionHistoryLimit can be changed.
    """

    replicas: Natural | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] = ()
    service_name: str = always("")
    pod_management_policy: str = ""
    update_strategy: StatefulSetUpdateStrategy = field(default_factory=StatefulSetUpdateStrategy)
    revision_history_limit: Natural | None = None
    min_ready_seconds: Natural = 0
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    ordinals: StatefulSetOrdinals | None = None


class StatefulSetStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of pods. `observedGeneration` is the generation of the spec that they belong to.

    `currentReplicas` have the revision `currentRevision`, `updatedReplicas` the revision `updateRevision`.
    """

    observed_generation: Natural64 = 0
    replicas: Natural = always(0)
    ready_replicas: Natural = 0
    current_replicas: Natural = 0
    updated_replicas: Natural = 0
    current_revision: str = ""
    update_revision: str = ""
    collision_count: Natural | None = None
    conditions: tuple[WorkloadCondition, ...] = ()
    available_replicas: Natural = always(0)


class StatefulSet(Object, frozen=True, kw_only=True):
    """Keeps pods running that have lasting names and claims of their own."""

    spec: StatefulSetSpec = field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = field(default_factory=StatefulSetStatus)


def _default_strategy(strategy: StatefulSetUpdateStrategy) -> StatefulSetUpdateStrategy:
    rolling = strategy.rolling_update
    if not strategy.type:
        strategy = replace(strategy, type=ROLLING_UPDATE)
        rolling = rolling or RollingUpdateStatefulSetStrategy()
    if strategy.type == ROLLING_UPDATE and rolling is not None:
        rolling = replace(
            rolling,
            partition=rolling.partition or 0,
            max_unavailable=1 if rolling.max_unavailable is None else rolling.max_unavailable,
        )
    return replace(strategy, rolling_update=rolling)


class StatefulSetStrategy(StatusStrategy[StatefulSet]):
    """Defaults and checks of stateful sets."""

    def name_form(self, name: str) -> str:
        return dns_label(name)

    def default(self, obj: StatefulSet) -> StatefulSet:
        spec = obj.spec
        history, retention = spec.revision_history_limit, spec.persistent_volume_claim_retention_policy
        retention = retention or StatefulSetPersistentVolumeClaimRetentionPolicy()
        spec = replace(
            spec,
            replicas=1 if spec.replicas is None else spec.replicas,
            template=default_template(spec.template),
            volume_claim_templates=tuple(default_claim(claim) for claim in spec.volume_claim_templates),
            pod_management_policy=spec.pod_management_policy or ORDERED,
            update_strategy=_default_strategy(spec.update_strategy),
            revision_history_limit=_HISTORY if history is None else history,
            persistent_volume_claim_retention_policy=replace(
                retention,
                when_deleted=retention.when_deleted or "Retain",
                when_scaled=retention.when_scaled or "Retain",
            ),
        )
        return replace(obj, spec=spec)

    def check(self, obj: StatefulSet, old: StatefulSet | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        check_workload_selector(spec.selector, spec.template.metadata.labels, "statefulset", findings)
        check_lasting_template(_whole(spec), _whole(old.spec) if old else None, "StatefulSet", findings)
        if spec.pod_management_policy not in (ORDERED, PARALLEL):
            why = f"must be '{ORDERED}' or '{PARALLEL}'"
            findings.invalid("spec.podManagementPolicy", spec.pod_management_policy, why)
        _check_strategy(spec.update_strategy, findings)
        if old is not None:
            # The claims and the service cannot be changed.
            return
        for index, claim in enumerate(spec.volume_claim_templates):
            check_claim_spec(claim.spec, f"spec.volumeClaimTemplates[{index}].spec", findings)
        if spec.service_name:
            findings.form("spec.serviceName", spec.service_name, dns_label(spec.service_name))

    def check_update(self, new: StatefulSet, old: StatefulSet, findings: Findings) -> None:
        check_selector_stays(new.spec.selector, old.spec.selector, findings)
        for name in _FIXED:
            value = getattr(new.spec, name)
            if value != getattr(old.spec, name):
                findings.invalid(f"spec.{json_name(name)}", value, IMMUTABLE)


def _whole(spec: StatefulSetSpec) -> PodTemplateSpec:
    """The template as pods are made from it: with the volumes of the claims, without what the controller replaces."""
    claims = {
        claim.metadata.name: Volume(
            name=claim.metadata.name,
            persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=claim.metadata.name),
        )
        for claim in spec.volume_claim_templates
    }
    pod = spec.template.spec
    others = (volume for volume in pod.volumes if volume.name not in claims)
    pod = replace(pod, subdomain="", hostname="", volumes=(*claims.values(), *others) if claims else pod.volumes)
    return replace(spec.template, spec=pod)


def _check_strategy(strategy: StatefulSetUpdateStrategy, findings: Findings) -> None:
    at, rolling = "spec.updateStrategy", strategy.rolling_update
    if strategy.type == ON_DELETE:
        if rolling is not None:
            findings.invalid(f"{at}.rollingUpdate", rolling, f"only allowed for updateStrategy '{ROLLING_UPDATE}'")
    elif strategy.type != ROLLING_UPDATE:
        findings.invalid(at, strategy, f"must be '{ROLLING_UPDATE}' or '{ON_DELETE}'")
    elif rolling is not None and rolling.max_unavailable is not None:
        at = f"{at}.rollingUpdate.maxUnavailable"
        check_int_or_percent(rolling.max_unavailable, at, findings, at_most_all=True)
        if not amount(rolling.max_unavailable):
            findings.invalid(at, rolling.max_unavailable, "cannot be 0")


def check_status(new: StatefulSet, old: StatefulSet, findings: Findings) -> None:
    """No number is larger than the one that includes it."""
    names = ("ready_replicas", "current_replicas", "updated_replicas", "available_replicas")
    check_at_most(new.status, names, "replicas", findings)
    check_at_most(new.status, ("available_replicas",), "ready_replicas", findings)
    check_not_less(new, old, "collision_count", findings)


def _cells(obj: StatefulSet, now: datetime) -> Sequence[Cell]:
    return (
        obj.metadata.name,
        f"{obj.status.ready_replicas}/{obj.spec.replicas or 0}",
        age(obj.metadata.creation_timestamp, now),
        *containers(obj.spec.template),
    )


_TABLE = Table(
    (
        NAME,
        Column("Ready", description="The number of ready pods, and the desired number."),
        AGE,
        CONTAINERS,
        IMAGES,
    ),
    _cells,
)

STATEFULSET = Resource(
    kind="StatefulSet",
    plural="statefulsets",
    group="apps",
    schema=Typed(StatefulSet),
    short_names=("sts",),
    categories=("all",),
    subresources=(status_part(check_status), SCALE),
    strategy=StatefulSetStrategy(),
    table=_TABLE,
    has_generation=True,
    indexes=(OWNER, LABEL_SELECTOR),
)
