"""The models of Job and CronJob."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.kinds.core.pod.model import PodTemplateSpec
from master.objects.meta import LabelSelector, Model, Object, ObjectMeta, ObjectReference, always
from master.objects.scalars import Int32, Natural, Natural64, Time, inert

INDEXED = "Indexed"
NON_INDEXED = "NonIndexed"


class PodFailurePolicyOnExitCodesRequirement(Model, frozen=True, kw_only=True):
    """The exit codes of a failed container: `operator` is In or NotIn, `values` are sorted.

    `containerName`: this container only; by default any.
    """

    container_name: str | None = None
    operator: str = always("")
    values: tuple[Int32, ...] = always(())


class PodFailurePolicyOnPodConditionsPattern(Model, frozen=True, kw_only=True):
    """A condition of a failed pod. `status` is True (default), False or Unknown."""

    type: str = always("")
    status: str = always("")


class PodFailurePolicyRule(Model, frozen=True, kw_only=True):
    """What happens when a pod fails in this way: by its exit codes, or by its conditions.

    `action` is FailJob, FailIndex, Ignore (the failure does not count) or Count.
    """

    action: str = always("")
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: tuple[PodFailurePolicyOnPodConditionsPattern, ...] = ()


class PodFailurePolicy(Model, frozen=True, kw_only=True):
    """Rules for failed pods, at most 20. The first one that matches counts."""

    rules: tuple[PodFailurePolicyRule, ...] = always(())


class SuccessPolicyRule(Model, frozen=True, kw_only=True):
    """The indexes that must succeed, such as `0,2-4`, or how many of them, or of all."""

    succeeded_indexes: str | None = None
    succeeded_count: Natural | None = None


class SuccessPolicy(Model, frozen=True, kw_only=True):
    """When the job is complete, although some indexes may not have succeeded: when one of the rules holds."""

    rules: tuple[SuccessPolicyRule, ...] = always(())


class JobSchedulingConfiguration(Model, frozen=True, kw_only=True):
    """How the pods of the job are scheduled together. An alpha feature of Kubernetes."""

    scheduling_policy: Any = None
    scheduling_constraints: Any = None
    disruption_mode: Any = None
    resource_claims: tuple[Any, ...] = ()


class JobSpec(Model, frozen=True, kw_only=True):
    """How many pods run at once (`parallelism`) and have to succeed (`completions`), and their template.

    Both default to 1; without completions but with parallelism, the job is complete when one pod succeeded. After
    `backoffLimit` (default 6) failures or `activeDeadlineSeconds` the job fails. `completionMode` is NonIndexed
    (default) or Indexed: then each pod has an index, and `backoffLimitPerIndex` and `maxFailedIndexes` count the
    failures. `suspend: true` deletes the pods. `ttlSecondsAfterFinished`: when a finished job is deleted.
    `podReplacementPolicy` is TerminatingOrFailed or Failed: when a pod is replaced. The server makes the `selector`,
    unless `manualSelector` is true.
    """

    parallelism: Natural | None = None
    completions: Natural | None = None
    active_deadline_seconds: Natural64 | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    backoff_limit: Natural | None = None
    backoff_limit_per_index: Natural | None = None
    max_failed_indexes: Natural | None = None
    selector: LabelSelector | None = None
    manual_selector: bool | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    ttl_seconds_after_finished: Natural | None = None
    completion_mode: str | None = None
    suspend: bool | None = None
    pod_replacement_policy: str | None = None
    managed_by: str | None = None
    scheduling: (
        Annotated[JobSchedulingConfiguration, inert("the pods of the job would be scheduled together")] | None
    ) = None


class JobCondition(Model, frozen=True, kw_only=True):
    """One aspect of the state, such as Complete, Failed or Suspended. `status` is True, False or Unknown."""

    type: str = always("")
    status: str = always("")
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class UncountedTerminatedPods(Model, frozen=True, kw_only=True):
    """The uids of pods that have ended and are not in the numbers of the status yet."""

    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class JobStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of pods, and when the job began and was complete.

    `completedIndexes` and `failedIndexes` list indexes, such as `0,2-4`.
    """

    conditions: tuple[JobCondition, ...] = ()
    start_time: Time | None = None
    completion_time: Time | None = None
    active: Natural = 0
    succeeded: Natural = 0
    failed: Natural = 0
    terminating: Natural | None = None
    completed_indexes: str = ""
    failed_indexes: str | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None
    ready: Natural | None = None


class Job(Object, frozen=True, kw_only=True):
    """Runs pods until a number of them have succeeded."""

    spec: JobSpec = field(default_factory=JobSpec)
    status: JobStatus = field(default_factory=JobStatus)


class JobTemplateSpec(Model, frozen=True, kw_only=True):
    """Labels, annotations and spec of the jobs that are made."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: JobSpec = field(default_factory=JobSpec)


class CronJobSpec(Model, frozen=True, kw_only=True):
    """When jobs are made, and their template.

    `schedule` has five fields as in a crontab (`*/5 * * * *`), in the `timeZone` (default: that of the server). A job
    that could not be made `startingDeadlineSeconds` after its time is left out. `concurrencyPolicy` is Allow (default),
    Forbid or Replace: what happens if the last job has not ended. `suspend: true` makes no further jobs. Of finished
    jobs, `successfulJobsHistoryLimit` (default 3) and `failedJobsHistoryLimit` (default 1) are kept.
    """

    schedule: str = always("")
    time_zone: str | None = None
    starting_deadline_seconds: Natural64 | None = None
    concurrency_policy: str = ""
    suspend: bool | None = None
    job_template: JobTemplateSpec = field(default_factory=JobTemplateSpec)
    successful_jobs_history_limit: Natural | None = None
    failed_jobs_history_limit: Natural | None = None


class CronJobStatus(Model, frozen=True, kw_only=True):
    """The jobs that have not ended, the last time for which one was made, and when one last succeeded."""

    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(Object, frozen=True, kw_only=True):
    """Makes a job again and again, at the times of a schedule."""

    spec: CronJobSpec = field(default_factory=CronJobSpec)
    status: CronJobStatus = field(default_factory=CronJobStatus)
