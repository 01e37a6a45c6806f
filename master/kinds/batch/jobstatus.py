"""Checks of the status of a job: what a write of it may say, and what it may change.

A job can be managed by another program, so that the rules for its status are strict. As in Kubernetes, most of them are
checked only where one of their fields changes: after a change of the spec they may be broken for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from master.kinds.batch.indexes import overlap, parse_indexes
from master.kinds.batch.model import INDEXED, Job
from master.objects.meta import parse_time
from master.schema.checks import Findings

_TERMINAL: Final = ("Failed", "Complete", "FailureTarget", "SuccessCriteriaMet")


def is_true(job: Job, condition: str) -> bool:
    """Whether the condition of this type is True."""
    return any(c.type == condition and c.status == "True" for c in job.status.conditions)


def _complete(job: Job) -> bool:
    return is_true(job, "Complete")


def _failed(job: Job) -> bool:
    return is_true(job, "Failed")


def _finished(job: Job) -> bool:
    return _complete(job) or _failed(job)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule that is checked if one of the aspects changes. `broken`: whether the job breaks it.

    `required`: a value is missing, otherwise one is wrong.
    """

    field: str
    why: str
    broken: Callable[[Job], bool]
    aspects: tuple[Callable[[Job], Any], ...]
    required: bool = False


def _condition(name: str) -> Callable[[Job], Any]:
    return lambda job: is_true(job, name)


def _field(name: str) -> Callable[[Job], Any]:
    return lambda job: getattr(job.status, name)


def _both(first: str, second: str) -> Callable[[Job], bool]:
    return lambda job: is_true(job, first) and is_true(job, second)


def _without(first: str, second: str) -> Callable[[Job], bool]:
    return lambda job: is_true(job, first) and not is_true(job, second)


def _ends_too_early(job: Job) -> bool:
    start, end = job.status.start_time, job.status.completion_time
    return bool(start and end) and parse_time(end or "") < parse_time(start or "")


def _uncounted(job: Job) -> bool:
    pods = job.status.uncounted_terminated_pods
    return pods is not None and bool(pods.succeeded or pods.failed)


def _suspended_without_work(job: Job) -> bool:
    return job.spec.suspend is True and job.spec.completions == 0


_RULES: Final = (
    _Rule(
        "conditions",
        "cannot set Complete=True and Failed=true conditions",
        _both("Complete", "Failed"),
        (_complete, _failed),
    ),
    _Rule(
        "conditions",
        "cannot set Complete=True and FailureTarget=true conditions",
        _both("Complete", "FailureTarget"),
        (_complete, _condition("FailureTarget")),
    ),
    _Rule(
        "completionTime",
        "cannot set completionTime when there is no Complete=True condition",
        lambda job: job.status.completion_time is not None and not _complete(job),
        (_complete, _field("completion_time")),
    ),
    _Rule(
        "completionTime",
        "completionTime is required for Complete jobs",
        lambda job: job.status.completion_time is None and _complete(job),
        (_complete, _field("completion_time")),
        required=True,
    ),
    _Rule(
        "completionTime",
        "must be equal to or after `startTime`",
        _ends_too_early,
        (_field("start_time"), _field("completion_time")),
    ),
    _Rule(
        "conditions",
        "cannot set Failed=True condition without the FailureTarget=true condition",
        _without("Failed", "FailureTarget"),
        (_failed, _field("failed_indexes")),
    ),
    _Rule(
        "conditions",
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        _without("Complete", "SuccessCriteriaMet"),
        (_complete, _condition("SuccessCriteriaMet")),
    ),
    _Rule(
        "active",
        "active>0 is invalid for finished job",
        lambda job: job.status.active > 0 and _finished(job),
        (_finished, _field("active")),
    ),
    _Rule(
        "startTime",
        "startTime is required for finished job",
        lambda job: job.status.start_time is None and _finished(job) and not _suspended_without_work(job),
        (_finished, _field("start_time")),
        required=True,
    ),
    _Rule(
        "uncountedTerminatedPods",
        "must be empty for finished job",
        lambda job: _finished(job) and _uncounted(job),
        (_finished, _field("uncounted_terminated_pods")),
    ),
    _Rule(
        "completedIndexes",
        "cannot set non-empty completedIndexes when non-indexed completion mode",
        lambda job: bool(job.status.completed_indexes) and job.spec.completion_mode != INDEXED,
        (_field("completed_indexes"),),
    ),
    _Rule(
        "failedIndexes",
        "cannot set non-null failedIndexes when backoffLimitPerIndex is null",
        lambda job: job.status.failed_indexes is not None and job.spec.backoff_limit_per_index is None,
        (_field("failed_indexes"),),
    ),
    _Rule(
        "terminating",
        "terminating>0 is invalid for finished job",
        lambda job: (job.status.terminating or 0) > 0 and _finished(job),
        (_finished, _field("terminating")),
    ),
    _Rule(
        "ready",
        "cannot set more ready pods than active",
        lambda job: (job.status.ready or 0) > job.status.active,
        (_field("ready"), _field("active")),
    ),
    _Rule(
        "conditions",
        "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        _both("SuccessCriteriaMet", "Failed"),
        (),
    ),
    _Rule(
        "conditions",
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        _both("SuccessCriteriaMet", "FailureTarget"),
        (),
    ),
)


def check_status(new: Job, old: Job, findings: Findings) -> None:
    """Adds a finding for each rule that the new status breaks."""
    for rule in _RULES:
        changed = not rule.aspects or any(aspect(new) != aspect(old) for aspect in rule.aspects)
        if changed and rule.broken(new):
            if rule.required:
                findings.required(f"status.{rule.field}", rule.why)
            else:
                findings.invalid(f"status.{rule.field}", "", rule.why)
    _check_indexes(new, old, findings)
    _check_uncounted(new, findings)
    for field, why in _steps_back(new, old):
        findings.invalid(f"status.{field}", "", why)


def _check_indexes(new: Job, old: Job, findings: Findings) -> None:
    lists: list[list[range]] = []
    if new.spec.completions is None:
        return
    changed = False
    for name in ("completed_indexes", "failed_indexes"):
        text = getattr(new.status, name) or ""
        differs = text != (getattr(old.status, name) or "")
        changed |= differs
        try:
            lists.append(parse_indexes(text, new.spec.completions))
        except ValueError as error:
            if differs:
                field = "completedIndexes" if name == "completed_indexes" else "failedIndexes"
                findings.invalid(f"status.{field}", text, f"error parsing {field}: {error}")
    if changed and len(lists) == 2 and overlap(*lists):
        findings.invalid(
            "status.failedIndexes", new.status.failed_indexes, "failedIndexes and completedIndexes overlap"
        )


def _check_uncounted(job: Job, findings: Findings) -> None:
    pods, seen = job.status.uncounted_terminated_pods, set[str]()
    for name, uids in (("succeeded", pods.succeeded), ("failed", pods.failed)) if pods else ():
        for index, uid in enumerate(uids):
            at = f"status.uncountedTerminatedPods.{name}[{index}]"
            if not uid:
                findings.invalid(at, uid, "must not be empty")
            elif uid in seen:
                findings.duplicate(at, uid)
            seen.add(uid)


def _steps_back(new: Job, old: Job) -> Iterator[tuple[str, str]]:
    """What a later status may not take back: the field, and why."""
    for condition in _TERMINAL:
        if is_true(old, condition) and not is_true(new, condition):
            yield "conditions", f"cannot disable the terminal {condition}=True condition"
    if _complete(old) and not is_true(old, "SuccessCriteriaMet") and is_true(new, "SuccessCriteriaMet"):
        yield "conditions", "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
    # A negative number is reported already.
    if 0 <= new.status.failed < old.status.failed:
        yield "failed", "cannot decrease the failed counter"
    # Such a job can be scaled down.
    elastic = new.spec.completion_mode == INDEXED and new.spec.completions == new.spec.parallelism
    if 0 <= new.status.succeeded < old.status.succeeded and not elastic:
        yield "succeeded", "cannot decrease the succeeded counter"
    end, before = new.status.completion_time, old.status.completion_time
    if end is not None and before is not None and end != before:
        yield "completionTime", "field is immutable"
    resumes = is_true(old, "Suspended") and any(
        c.type == "Suspended" and c.status == "False" for c in new.status.conditions
    )
    begin = old.status.start_time
    if begin is not None and new.status.start_time != begin and not new.spec.suspend and not resumes:
        yield "startTime", "field is immutable for unsuspended job once set"
