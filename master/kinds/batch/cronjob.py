"""CronJob: makes jobs at the times of a schedule. It is stored and checked; its controller does not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from master.kinds.batch.jobspec import check_job_spec, default_template_job_spec
from master.kinds.batch.model import CronJob, CronJobSpec
from master.kinds.batch.schedule import schedule_problem, time_zone_problem
from master.kinds.workload.columns import CONTAINERS, IMAGES, SELECTOR, containers
from master.kinds.workload.status import status_part
from master.objects.labelselector import to_text
from master.registry.resource import Resource, Version
from master.registry.strategy import Keyspace, StatusStrategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed

_POLICIES: Final = ("Allow", "Forbid", "Replace")
# Jobs get eleven more characters, and must have valid labels as names.
_LONGEST_NAME: Final = 52
_SUCCESSFUL = 3
_FAILED = 1


class CronJobStrategy(StatusStrategy[CronJob]):
    """Defaults and checks of cron jobs."""

    def default(self, obj: CronJob) -> CronJob:
        spec, template = obj.spec, obj.spec.job_template
        successful, failed = spec.successful_jobs_history_limit, spec.failed_jobs_history_limit
        spec = replace(
            spec,
            concurrency_policy=spec.concurrency_policy or "Allow",
            suspend=bool(spec.suspend),
            job_template=replace(template, spec=default_template_job_spec(template.spec)),
            successful_jobs_history_limit=_SUCCESSFUL if successful is None else successful,
            failed_jobs_history_limit=_FAILED if failed is None else failed,
        )
        return replace(obj, spec=spec)

    def check(self, obj: CronJob, old: CronJob | None, findings: Findings, keyspace: Keyspace) -> None:
        spec, before = obj.spec, old.spec if old else None
        _check_schedule(spec, before, findings)
        findings.one_of("spec.concurrencyPolicy", spec.concurrency_policy, _POLICIES)
        at, template = "spec.jobTemplate.spec", spec.job_template.spec
        check_job_spec(template, before.job_template.spec if before else None, at, findings)
        if template.selector is not None:
            findings.invalid(f"{at}.selector", template.selector, "`selector` will be auto-generated")
        if template.manual_selector:
            findings.unsupported(f"{at}.manualSelector", template.manual_selector, ("nil", "false"))
        if old is None and len(obj.metadata.name) > _LONGEST_NAME:
            findings.invalid("metadata.name", obj.metadata.name, f"must be no more than {_LONGEST_NAME} characters")


def _check_schedule(spec: CronJobSpec, old: CronJobSpec | None, findings: Findings) -> None:
    schedule, zone = spec.schedule, spec.time_zone
    if not schedule:
        findings.required("spec.schedule")
    else:
        findings.form("spec.schedule", schedule, schedule_problem(schedule))
        if "TZ" in schedule:
            if old is None or "TZ" not in old.schedule:
                why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
                findings.invalid("spec.schedule", schedule, why)
            elif zone is not None:
                why = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
                findings.invalid("spec.schedule", schedule, why)
    if zone is not None and (old is None or zone != old.time_zone):
        findings.form("spec.timeZone", zone, time_zone_problem(zone))


def _cells(obj: CronJob, now: datetime) -> Sequence[Cell]:
    spec, last = obj.spec, obj.status.last_schedule_time
    return (
        obj.metadata.name,
        spec.schedule,
        "<none>" if spec.time_zone is None else spec.time_zone,
        {None: "<unset>", True: "True", False: "False"}[spec.suspend],
        len(obj.status.active),
        age(last, now) if last else "<none>",
        age(obj.metadata.creation_timestamp, now),
        *containers(spec.job_template.spec.template),
        to_text(spec.job_template.spec.selector) or "<none>",
    )


_TABLE = Table(
    (
        NAME,
        Column("Schedule", description="When jobs are made."),
        Column("Timezone", description="The time zone of the schedule."),
        Column("Suspend", type="boolean", description="Whether no further jobs are made."),
        Column("Active", type="integer", description="The number of jobs that have not ended."),
        Column("Last Schedule", description="The time since the last job was made."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _cells,
)

_SCHEMA: Final = Typed(CronJob)

CRONJOB = Resource(
    kind="CronJob",
    plural="cronjobs",
    group="batch",
    schema=_SCHEMA,
    # The version of Kubernetes 1.20 has the same fields.
    served=(Version("v1beta1", _SCHEMA, old=True),),
    short_names=("cj",),
    categories=("all",),
    subresources=(status_part(),),
    strategy=CronJobStrategy(),
    table=_TABLE,
    has_generation=True,
)
