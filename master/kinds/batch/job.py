"""Job: pods that end. It is stored and checked; its controller does not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from master.kinds.batch.jobspec import check_job_spec, default_job_spec
from master.kinds.batch.jobstatus import check_status, is_true
from master.kinds.batch.jobupdates import check_update
from master.kinds.batch.model import INDEXED, Job
from master.kinds.workload.columns import CONTAINERS, IMAGES, SELECTOR, containers
from master.kinds.workload.selector import MISMATCH, check_selector, is_usable
from master.kinds.workload.status import status_part
from master.objects.index import LABEL_SELECTOR, OWNER
from master.objects.labelselector import matches, to_text
from master.objects.meta import LabelSelector, parse_time
from master.registry.deletion import DeletionPolicy, Propagation
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age, duration
from master.schema.checks import Findings
from master.schema.names import dns_label
from master.schema.schema import Typed

_UID: Final = "batch.kubernetes.io/controller-uid"
_NAME: Final = "batch.kubernetes.io/job-name"
# The same labels as the first versions of Kubernetes had them.
_OLD_UID: Final = "controller-uid"
_OLD_NAME: Final = "job-name"
# The conditions that the table shows. The first one that is True counts; a deletion comes after the second.
_SHOWN: Final = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")


class JobStrategy(StatusStrategy[Job]):
    """Defaults and checks of jobs. The server makes the selector, and the labels of the pods that it selects."""

    def default(self, obj: Job) -> Job:
        labels = obj.metadata.labels or obj.spec.template.metadata.labels
        return replace(obj, metadata=replace(obj.metadata, labels=labels), spec=default_job_spec(obj.spec))

    def for_create(self, obj: Job, now: datetime) -> Job:
        obj = super().for_create(obj, now)
        return obj if obj.spec.manual_selector else _with_selector(obj)

    def check(self, obj: Job, old: Job | None, findings: Findings, keyspace: Keyspace) -> None:
        spec = obj.spec
        if old is None and not spec.manual_selector:
            _check_generated(obj, findings)
        check_job_spec(spec, old.spec if old else None, "spec", findings)
        if spec.selector is None:
            findings.required("spec.selector")
        check_selector(spec.selector, "spec.selector", findings)
        labels = spec.template.metadata.labels
        if (spec.selector is None or is_usable(spec.selector)) and not matches(spec.selector, labels):
            findings.invalid("spec.template.metadata.labels", labels, MISMATCH)
        _check_name(obj, findings)

    def check_update(self, new: Job, old: Job, findings: Findings) -> None:
        check_update(new, old, findings)


def _with_selector(job: Job) -> Job:
    """The job with the labels that only its pods have, and a selector of them. Labels that are there stay."""
    meta, spec = job.metadata, job.spec
    own = {_OLD_NAME: meta.name, _NAME: meta.name, _OLD_UID: meta.uid, _UID: meta.uid}
    template = replace(
        spec.template, metadata=replace(spec.template.metadata, labels={**own, **spec.template.metadata.labels})
    )
    selector = spec.selector or LabelSelector()
    selector = replace(selector, match_labels={_UID: meta.uid, **selector.match_labels})
    return replace(job, spec=replace(spec, template=template, selector=selector))


def _check_generated(job: Job, findings: Findings) -> None:
    """Checks that the labels and the selector are those that the server makes."""
    meta, template = job.metadata, job.spec.template.metadata
    own = {_OLD_UID: meta.uid, _OLD_NAME: meta.name, _UID: meta.uid, _NAME: meta.name}
    for key, value in own.items():
        at = f"spec.template.metadata.labels[{key}]"
        if key not in template.labels:
            findings.required(at, f"must be '{value}'")
        elif template.labels[key] != value:
            findings.invalid(at, template.labels, f"must be '{value}'")
    selector = job.spec.selector
    if selector is not None and is_usable(selector) and not matches(selector, own):
        findings.invalid("spec.selector", selector, "`selector` not auto-generated")


def _check_name(job: Job, findings: Findings) -> None:
    """The pods of an indexed job have its name and their index as host name."""
    spec, name = job.spec, job.metadata.name
    if spec.completion_mode == INDEXED and spec.completions:
        longest = f"{name}-{spec.completions - 1}"
        if dns_label(longest):
            why = f"will not able to create pod with invalid DNS label: {longest}"
            findings.invalid("metadata.name", name, why)


class JobDeletion(DeletionPolicy[Job]):
    """As in Kubernetes, the pods of a job stay unless the client asks for their deletion. kubectl does."""

    default_propagation: Propagation = "Orphan"


def _completions(job: Job) -> str:
    succeeded, spec = job.status.succeeded, job.spec
    if spec.completions is not None:
        return f"{succeeded}/{spec.completions}"
    parallelism = spec.parallelism or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _state(job: Job) -> str:
    for condition in _SHOWN:
        if condition == "Suspended" and job.metadata.deletion_timestamp:
            return "Terminating"
        if is_true(job, condition):
            return condition
    return "Running"


def _duration(job: Job, now: datetime) -> str:
    if job.status.start_time is None:
        return ""
    end = parse_time(job.status.completion_time) if job.status.completion_time else now
    return duration((end - parse_time(job.status.start_time)).total_seconds())


def _cells(obj: Job, now: datetime) -> Sequence[Cell]:
    return (
        obj.metadata.name,
        _state(obj),
        _completions(obj),
        _duration(obj, now),
        age(obj.metadata.creation_timestamp, now),
        *containers(obj.spec.template),
        to_text(obj.spec.selector) or "<none>",
    )


_TABLE = Table(
    (
        NAME,
        Column("Status", description="Whether the job runs, or how it ended."),
        Column("Completions", description="The number of pods that have succeeded, and that have to."),
        Column("Duration", description="The time from the start of the job to its completion, or to now."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _cells,
)

JOB = Resource(
    kind="Job",
    plural="jobs",
    group="batch",
    schema=Typed(Job),
    categories=("all",),
    subresources=(status_part(check_status),),
    strategy=JobStrategy(),
    deletion=JobDeletion(),
    table=_TABLE,
    fields={"status.successful": lambda job: str(job.status.succeeded)},
    has_generation=True,
    indexes=(OWNER, LABEL_SELECTOR),
)
