"""The changes of a pod's spec that an update may make (ValidatePodUpdate of Kubernetes)."""

from __future__ import annotations

from msgspec.structs import replace

from master.kinds.core.pod.affinity import Affinity, NodeAffinity, NodeSelectorTerm, Toleration
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import PodSpec
from master.schema.checks import Findings

_ONLY_ADDITIONS = "only additions are allowed (no mutations or deletions)"
_REQUIRED_TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


def check_spec_update(new: PodSpec, old: PodSpec, findings: Findings) -> None:
    """Adds a finding for each change that is not allowed."""
    if new == old:
        return
    same_number = True
    for field, now, before in (
        ("containers", new.containers, old.containers),
        ("initContainers", new.init_containers, old.init_containers),
    ):
        if len(now) != len(before):
            findings.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            same_number = False
    if not same_number:
        return
    _deadline(new.active_deadline_seconds, old.active_deadline_seconds, findings)
    if not all(_is_kept(toleration, new.tolerations) for toleration in old.tolerations):
        findings.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    _gates(new, old, findings)
    if old.scheduling_gates:
        new = _with_old_placement(new, old, findings)
    if _with_old_values(new, old) != old:
        findings.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to"
            " existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was"
            " previously negative)",
        )


def _with_old_values(new: PodSpec, old: PodSpec) -> PodSpec:
    """The new spec with the old values of all mutable fields. Equal to the old spec unless another field changed."""
    grace = new.termination_grace_period_seconds
    if grace == 1 and (old.termination_grace_period_seconds or 0) < 0:
        grace = old.termination_grace_period_seconds
    return replace(
        new,
        containers=_with_old_images(new.containers, old.containers),
        init_containers=_with_old_images(new.init_containers, old.init_containers),
        active_deadline_seconds=old.active_deadline_seconds,
        termination_grace_period_seconds=grace,
        tolerations=old.tolerations,
        scheduling_gates=old.scheduling_gates,
    )


def _with_old_images(new: tuple[Container, ...], old: tuple[Container, ...]) -> tuple[Container, ...]:
    return tuple(replace(now, image=before.image) for now, before in zip(new, old, strict=True))


def _deadline(new: int | None, old: int | None, findings: Findings) -> None:
    """A deadline may be set or shortened."""
    if old is None:
        return
    if new is None:
        findings.invalid("spec.activeDeadlineSeconds", new, "must not update from a positive integer to nil value")
    elif new > old:
        findings.invalid("spec.activeDeadlineSeconds", new, "must be less than or equal to previous value")


def _is_kept(old: Toleration, new: tuple[Toleration, ...]) -> bool:
    return any(replace(old, toleration_seconds=toleration.toleration_seconds) == toleration for toleration in new)


def _gates(new: PodSpec, old: PodSpec, findings: Findings) -> None:
    """Gates may be removed in any order."""
    before = {gate.name for gate in old.scheduling_gates}
    for index, gate in enumerate(new.scheduling_gates):
        if gate.name not in before:
            why = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            findings.forbidden(f"spec.schedulingGates[{index}].name", why)


# -- the placement of pods with gates ------------------------------------------------------------------------------


def _with_old_placement(new: PodSpec, old: PodSpec, findings: Findings) -> PodSpec:
    """The new spec with the old node selector and node affinity, which may become narrower while a pod has gates."""
    if any(new.node_selector.get(key) != value for key, value in old.node_selector.items()):
        findings.invalid("spec.nodeSelector", new.node_selector, _ONLY_ADDITIONS)
    _affinity(_node_affinity(new), _node_affinity(old), findings)
    return replace(new, node_selector=old.node_selector, affinity=_with_old_node_affinity(new, old))


def _node_affinity(spec: PodSpec) -> NodeAffinity:
    return (spec.affinity and spec.affinity.node_affinity) or NodeAffinity()


def _with_old_node_affinity(new: PodSpec, old: PodSpec) -> Affinity | None:
    affinity = replace(new.affinity or Affinity(), node_affinity=old.affinity and old.affinity.node_affinity)
    return old.affinity if affinity == (old.affinity or Affinity()) else affinity


def _affinity(new: NodeAffinity, old: NodeAffinity, findings: Findings) -> None:
    """Preferences may change. Required terms may get further expressions: more terms would allow more nodes."""
    before = old.required_during_scheduling_ignored_during_execution
    if before is None:
        return
    now = new.required_during_scheduling_ignored_during_execution
    terms = now.node_selector_terms if now else ()
    if len(terms) != len(before.node_selector_terms):
        why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        findings.invalid(_REQUIRED_TERMS, len(terms), why)
        return
    for index, (term, earlier) in enumerate(zip(terms, before.node_selector_terms, strict=True)):
        if not _is_narrower(term, earlier):
            findings.invalid(f"{_REQUIRED_TERMS}[{index}]", "", _ONLY_ADDITIONS)


def _is_narrower(new: NodeSelectorTerm, old: NodeSelectorTerm) -> bool:
    """Whether the term has all expressions of the old one. An empty term selects no node and must stay as it is."""
    if not old.match_expressions and not old.match_fields:
        return new == old
    return (
        new.match_expressions[: len(old.match_expressions)] == old.match_expressions
        and new.match_fields[: len(old.match_fields)] == old.match_fields
    )
