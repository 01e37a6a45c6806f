"""Checks of the rules for a pod's node: node selector and affinity, tolerations, spread constraints, gates."""

from __future__ import annotations

from master.kinds.core.pod.affinity import (
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    TopologySpreadConstraint,
)
from master.kinds.core.pod.model import PodSpec
from master.kinds.workload.selector import check_selector
from master.objects.meta import json_name
from master.schema.checks import Findings
from master.schema.names import label_value, qualified_name

_REQUIRED = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
_PREFERRED = "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"


def check_placement(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks the rules of the spec at the path `at`."""
    findings.labels(f"{at}.nodeSelector", spec.node_selector)
    for index, toleration in enumerate(spec.tolerations):
        _toleration(toleration, f"{at}.tolerations[{index}]", findings)
    _node_affinity(spec, at, findings)
    _pod_affinity(spec, f"{at}.affinity", findings)
    _spread(spec.topology_spread_constraints, f"{at}.topologySpreadConstraints", findings)
    for index, gate in enumerate(spec.scheduling_gates):
        if gate.name:
            findings.form(f"{at}.schedulingGates[{index}]", gate.name, qualified_name(gate.name))
    findings.unique(f"{at}.schedulingGates", ((f"[{i}]", gate.name) for i, gate in enumerate(spec.scheduling_gates)))


def _node_affinity(spec: PodSpec, at: str, findings: Findings) -> None:
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is None:
        return
    required = affinity.required_during_scheduling_ignored_during_execution
    if required is not None and not required.node_selector_terms:
        findings.required(f"{at}.{_REQUIRED}", "must have at least one node selector term")
    for index, term in enumerate(required.node_selector_terms if required else ()):
        _term(term, f"{at}.{_REQUIRED}[{index}]", findings)
    for index, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        where = f"{at}.{_PREFERRED}[{index}]"
        if not 1 <= preferred.weight <= 100:
            findings.invalid(f"{where}.weight", preferred.weight, "must be in the range 1-100")
        _term(preferred.preference, f"{where}.preference", findings)


def _pod_affinity(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks the selectors of other pods and of their namespaces."""
    for name in ("pod_affinity", "pod_anti_affinity"):
        affinity: PodAffinity | PodAntiAffinity | None = getattr(spec.affinity, name, None)
        if affinity is None:
            continue
        where = f"{at}.{json_name(name)}"
        for index, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
            _pods(term, f"{where}.requiredDuringSchedulingIgnoredDuringExecution[{index}]", findings)
        for index, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
            place = f"{where}.preferredDuringSchedulingIgnoredDuringExecution[{index}].podAffinityTerm"
            _pods(preferred.pod_affinity_term, place, findings)


def _pods(term: PodAffinityTerm, at: str, findings: Findings) -> None:
    check_selector(term.label_selector, f"{at}.labelSelector", findings)
    check_selector(term.namespace_selector, f"{at}.namespaceSelector", findings)


def _term(term: NodeSelectorTerm, at: str, findings: Findings) -> None:
    for index, condition in enumerate(term.match_expressions):
        _expression(condition, f"{at}.matchExpressions[{index}]", findings)
    for index, condition in enumerate(term.match_fields):
        _field(condition, f"{at}.matchFields[{index}]", findings)


def _expression(condition: NodeSelectorRequirement, at: str, findings: Findings) -> None:
    if condition.key:
        findings.form(f"{at}.key", condition.key, qualified_name(condition.key))
    if condition.operator in ("In", "NotIn") and not condition.values:
        findings.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    if condition.operator in ("Gt", "Lt") and len(condition.values) != 1:
        findings.required(f"{at}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    if condition.operator in ("Exists", "DoesNotExist") and condition.values:
        findings.forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")


def _field(condition: NodeSelectorRequirement, at: str, findings: Findings) -> None:
    """A condition on the only field of nodes that can be selected: their name."""
    if condition.operator in ("In", "NotIn"):
        if len(condition.values) != 1:
            why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            findings.required(f"{at}.values", why)
    elif condition.operator in ("DoesNotExist", "Exists", "Gt", "Lt"):
        findings.invalid(f"{at}.operator", condition.operator, "not a valid selector operator")
    if condition.key and condition.key != "metadata.name":
        findings.invalid(f"{at}.key", condition.key, "not a valid field selector key")


def _toleration(toleration: Toleration, at: str, findings: Findings) -> None:
    if toleration.key:
        findings.form(f"{at}.key", toleration.key, qualified_name(toleration.key))
    elif toleration.operator != "Exists":
        why = "operator must be Exists when `key` is empty, which selects all keys and values"
        findings.invalid(f"{at}.operator", toleration.operator, why)
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        findings.invalid(f"{at}.effect", toleration.effect, why)
    elif toleration.effect:
        findings.one_of(f"{at}.effect", toleration.effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
    if toleration.operator == "Exists":
        if toleration.value:
            why = "value must be empty when `operator` is 'Exists'"
            findings.invalid(f"{at}.operator", toleration.value, why)
    elif toleration.operator in ("", "Equal") and toleration.key:
        findings.form(f"{at}.operator", toleration.value, label_value(toleration.value))
    elif toleration.key:
        findings.unsupported(f"{at}.operator", toleration.operator, ("Equal", "Exists"))


def _spread(constraints: tuple[TopologySpreadConstraint, ...], at: str, findings: Findings) -> None:
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        where = f"{at}[{index}]"
        group = (constraint.topology_key, constraint.when_unsatisfiable)
        if group in seen:
            shown = f"{{{constraint.topology_key}, {constraint.when_unsatisfiable}}}"
            findings.duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", shown)
        seen.add(group)
        if constraint.min_domains is not None and constraint.when_unsatisfiable == "ScheduleAnyway":
            why = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            findings.invalid(f"{where}.minDomains", constraint.min_domains, why)
        check_selector(constraint.label_selector, f"{where}.labelSelector", findings)
        _match_label_keys(constraint, f"{where}.matchLabelKeys", findings)


def _match_label_keys(constraint: TopologySpreadConstraint, at: str, findings: Findings) -> None:
    selector = constraint.label_selector
    if constraint.match_label_keys and selector is None:
        findings.forbidden(at, "must not be specified when labelSelector is not set")
        return
    selected: set[str] = set()
    if selector is not None:
        selected = {*selector.match_labels, *(condition.key for condition in selector.match_expressions)}
    for index, key in enumerate(constraint.match_label_keys):
        if wrong := qualified_name(key):
            findings.invalid(f"{at}[{index}]", key, wrong)
        elif key in selected:
            findings.invalid(f"{at}[{index}]", key, "exists in both matchLabelKeys and labelSelector")
