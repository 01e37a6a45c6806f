"""Where a pod wants to run: node and pod affinity, tolerations, spread constraints. Stored; not all take effect yet."""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from master.objects.meta import LabelSelector, Model, always
from master.objects.scalars import Int32, Int64, Positive, Required, Weight, choice


class NodeSelectorRequirement(Model, frozen=True, kw_only=True):
    """One condition on a node's label or field: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: Required = always("")
    operator: Annotated[str, choice("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")] = always("")
    values: tuple[str, ...] = ()


class NodeSelectorTerm(Model, frozen=True, kw_only=True):
    """Conditions that must all hold."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Model, frozen=True, kw_only=True):
    """Terms of which one must hold."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = always(())


class PreferredSchedulingTerm(Model, frozen=True, kw_only=True):
    """A term that adds its weight (1 to 100) to nodes that match."""

    weight: Int32 = always(0)
    preference: NodeSelectorTerm = field(default_factory=NodeSelectorTerm)


class NodeAffinity(Model, frozen=True, kw_only=True):
    """Which nodes a pod must, or would rather, run on."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredSchedulingTerm, ...] = ()


class PodAffinityTerm(Model, frozen=True, kw_only=True):
    """Pods beside which, in the topology named by a node label, a pod runs or does not."""

    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    topology_key: Required = always("")
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(Model, frozen=True, kw_only=True):
    """A pod affinity term with its weight, 1 to 100."""

    weight: Weight = always(0)
    pod_affinity_term: PodAffinityTerm = field(default_factory=PodAffinityTerm)


class PodAffinity(Model, frozen=True, kw_only=True):
    """Pods that this one wants near."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class PodAntiAffinity(Model, frozen=True, kw_only=True):
    """Pods that this one wants away."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(Model, frozen=True, kw_only=True):
    """All scheduling constraints of a pod."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class Toleration(Model, frozen=True, kw_only=True):
    """Lets a pod onto nodes with a matching taint."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: Int64 | None = None


class TopologySpreadConstraint(Model, frozen=True, kw_only=True):
    """How evenly matching pods spread over the values of a node label."""

    max_skew: Positive = always(0)
    topology_key: Required = always("")
    when_unsatisfiable: Annotated[str, choice("DoNotSchedule", "ScheduleAnyway")] = always("")
    label_selector: LabelSelector | None = None
    min_domains: Positive | None = None
    node_affinity_policy: Annotated[str, choice("Honor", "Ignore")] | None = None
    node_taints_policy: Annotated[str, choice("Honor", "Ignore")] | None = None
    match_label_keys: tuple[str, ...] = ()
