"""Rules for the placement of a pod: node and pod affinity, tolerations, spread constraints.

The scheduler uses only the required node affinity so far.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from master.objects.meta import LabelSelector, Model, always
from master.objects.scalars import Int32, Int64, Positive, Required, Weight, choice, inert


class NodeSelectorRequirement(Model, frozen=True, kw_only=True):
    """A condition on a label or field of a node.

    `operator` is In, NotIn, Exists, DoesNotExist, Gt or Lt. `values` has one or more texts for In and NotIn, exactly
    one number for Gt and Lt, and is empty for Exists and DoesNotExist.
    """

    key: Required = always("")
    operator: Annotated[str, choice("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")] = always("")
    values: tuple[str, ...] = ()


class NodeSelectorTerm(Model, frozen=True, kw_only=True):
    """Conditions on a node's labels (`matchExpressions`) and fields (`matchFields`). All of them must hold."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Model, frozen=True, kw_only=True):
    """A list of terms. A node matches if at least one term holds."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = always(())


class PreferredSchedulingTerm(Model, frozen=True, kw_only=True):
    """A preference: nodes that match the term get `weight` (1 to 100) points more."""

    weight: Int32 = always(0)
    preference: NodeSelectorTerm = field(default_factory=NodeSelectorTerm)


class NodeAffinity(Model, frozen=True, kw_only=True):
    """The nodes on which a pod must run (`required…`) or preferably runs (`preferred…`).

    Checked only when the pod is scheduled: a running pod stays when its node no longer matches.
    """

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredSchedulingTerm, ...], inert("the scheduler would prefer nodes that match")
    ] = ()


class PodAffinityTerm(Model, frozen=True, kw_only=True):
    """A group of other pods, and the meaning of "near" for it.

    Nodes with the same value of the label `topologyKey` are near each other. `labelSelector` selects the pods, in the
    `namespaces` and in those that `namespaceSelector` selects; without either, in the pod's own namespace.
    """

    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    topology_key: Required = always("")
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(Model, frozen=True, kw_only=True):
    """A pod affinity term with its `weight`, 1 to 100."""

    weight: Weight = always(0)
    pod_affinity_term: PodAffinityTerm = field(default_factory=PodAffinityTerm)


class PodAffinity(Model, frozen=True, kw_only=True):
    """Pods near which this pod must run (`required…`) or preferably runs (`preferred…`)."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class PodAntiAffinity(Model, frozen=True, kw_only=True):
    """Pods near which this pod must not (`required…`) or preferably does not run (`preferred…`)."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(Model, frozen=True, kw_only=True):
    """Affinity of a pod to nodes and to other pods."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: Annotated[PodAffinity, inert("the scheduler would place the pod near certain pods")] | None = None
    pod_anti_affinity: (
        Annotated[PodAntiAffinity, inert("the scheduler would place the pod apart from certain pods")] | None
    ) = None


class Toleration(Model, frozen=True, kw_only=True):
    """Allows a pod to run on nodes with a matching taint.

    `operator` is Equal (default: key and value must be equal) or Exists (the key is enough). An empty `key` with Exists
    matches all taints, an empty `effect` all effects. `tolerationSeconds` limits how long a NoExecute taint is
    tolerated; default: forever.
    """

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: Int64 | None = None


class TopologySpreadConstraint(Model, frozen=True, kw_only=True):
    """Limits how unevenly the selected pods are spread over groups of nodes.

    Nodes with the same value of the label `topologyKey` are a group. `maxSkew` is the largest allowed difference in the
    number of pods between two groups. `whenUnsatisfiable`: DoNotSchedule (the pod waits) or ScheduleAnyway.
    """

    max_skew: Positive = always(0)
    topology_key: Required = always("")
    when_unsatisfiable: Annotated[str, choice("DoNotSchedule", "ScheduleAnyway")] = always("")
    label_selector: LabelSelector | None = None
    min_domains: Positive | None = None
    node_affinity_policy: Annotated[str, choice("Honor", "Ignore")] | None = None
    node_taints_policy: Annotated[str, choice("Honor", "Ignore")] | None = None
    match_label_keys: tuple[str, ...] = ()
