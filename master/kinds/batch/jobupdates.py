"""What an update of a job may change: while it is suspended, a part of its template; otherwise its numbers only."""

from __future__ import annotations

from msgspec.structs import replace

from master.kinds.batch.model import INDEXED, Job, JobSpec
from master.kinds.core.pod.affinity import Affinity
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import PodSpec, PodTemplateSpec
from master.kinds.workload.selector import IMMUTABLE
from master.objects.meta import json_name
from master.schema.checks import Findings

_FIXED = (
    "selector",
    "completion_mode",
    "pod_failure_policy",
    "backoff_limit_per_index",
    "managed_by",
    "success_policy",
)


def check_update(new: Job, old: Job, findings: Findings) -> None:
    """Adds a finding for each change that is not allowed."""
    _check_completions(new.spec, old.spec, findings)
    for name in _FIXED:
        value = getattr(new.spec, name)
        if value != getattr(old.spec, name):
            findings.invalid(f"spec.{json_name(name)}", value, IMMUTABLE)
    _check_template(new.spec.template, old, findings)


def _check_completions(new: JobSpec, old: JobSpec, findings: Findings) -> None:
    at = "spec.completions"
    if new.completions == old.completions:
        return
    if new.completion_mode != INDEXED:
        findings.invalid(at, new.completions, IMMUTABLE)
    elif new.completions is not None and new.completions != new.parallelism:
        findings.invalid(at, new.completions, "can only be modified in tandem with spec.parallelism")


def _check_template(new: PodTemplateSpec, old: Job, findings: Findings) -> None:
    at, allowed = "spec.template", old.spec.template
    if not old.spec.suspend:
        if new != allowed:
            findings.invalid(at, new, IMMUTABLE)
        return
    if not _is_stopped(old):
        if new != allowed:
            findings.invalid(at, new, IMMUTABLE)
    elif new.spec != _with_placement(new.spec, _with_resources(new.spec, allowed.spec)):
        findings.invalid(f"{at}.spec", new.spec, IMMUTABLE)


def _is_stopped(job: Job) -> bool:
    """Whether the suspended job has no pods: it has not begun, or it reports that it is suspended."""
    reported = any(c.type == "Suspended" and c.status == "True" for c in job.status.conditions)
    return (job.status.start_time is None or reported) and job.status.active == 0


def _with_placement(new: PodSpec, old: PodSpec) -> PodSpec:
    """The old spec with the new rules for nodes."""
    affinity, node_affinity = old.affinity, new.affinity.node_affinity if new.affinity else None
    if affinity is not None or new.affinity is not None:
        affinity = replace(affinity or Affinity(), node_affinity=node_affinity)
        if new.affinity is None and affinity == Affinity():
            affinity = None
    return replace(
        old,
        affinity=affinity,
        node_selector=new.node_selector,
        tolerations=new.tolerations,
        scheduling_gates=new.scheduling_gates,
    )


def _with_resources(new: PodSpec, old: PodSpec) -> PodSpec:
    """The old spec with the new resources of its containers."""
    return replace(
        old,
        containers=_resized(new.containers, old.containers),
        init_containers=_resized(new.init_containers, old.init_containers),
    )


def _resized(new: tuple[Container, ...], old: tuple[Container, ...]) -> tuple[Container, ...]:
    if len(new) != len(old):
        return old
    pairs = zip(new, old, strict=True)
    return tuple(replace(b, resources=a.resources) if a.name == b.name else b for a, b in pairs)
