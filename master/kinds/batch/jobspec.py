"""Defaults and checks of the spec of a job, as a job and as the template of a cron job have it."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from master.kinds.batch.model import INDEXED, NON_INDEXED, JobSpec, PodFailurePolicy
from master.kinds.batch.policies import check_failure_policy, check_success_policy
from master.kinds.workload.template import check_template, default_template
from master.objects.scalars import MAX_INT32
from master.schema.checks import Findings
from master.schema.names import dns_subdomain

_BACKOFF: Final = 6
_MOST_INDEXED_PODS: Final = 100_000
_MOST_FAILED: Final = 100_000
# With more completions than this, and a back-off limit for each index, the next two limits apply.
_MANY: Final = 100_000
_MOST_OF_MANY: Final = 10_000
_LONGEST_MANAGER: Final = 63
_HTTP_PATH: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", re.ASCII)


def default_job_spec(spec: JobSpec) -> JobSpec:
    """The spec of a job with all defaults."""
    spec = default_template_job_spec(spec)
    limit = spec.backoff_limit
    if limit is None:
        limit = _BACKOFF if spec.backoff_limit_per_index is None else MAX_INT32
    completions = spec.completions
    return replace(
        spec,
        completions=1 if completions is None and spec.parallelism is None else completions,
        parallelism=1 if spec.parallelism is None else spec.parallelism,
        backoff_limit=limit,
        completion_mode=NON_INDEXED if spec.completion_mode is None else spec.completion_mode,
        suspend=bool(spec.suspend),
        pod_replacement_policy=_replacement(spec),
        manual_selector=bool(spec.manual_selector),
    )


def _replacement(spec: JobSpec) -> str:
    if spec.pod_replacement_policy is not None:
        return spec.pod_replacement_policy
    return "TerminatingOrFailed" if spec.pod_failure_policy is None else "Failed"


def default_template_job_spec(spec: JobSpec) -> JobSpec:
    """The spec of the template of a cron job: only its pods have defaults, the rest is set in the jobs made from it."""
    policy = spec.pod_failure_policy
    return replace(spec, template=default_template(spec.template), pod_failure_policy=policy and _with_status(policy))


def _with_status(policy: PodFailurePolicy) -> PodFailurePolicy:
    rules = tuple(
        replace(
            rule,
            on_pod_conditions=tuple(
                replace(pattern, status=pattern.status or "True") for pattern in rule.on_pod_conditions
            ),
        )
        for rule in policy.rules
    )
    return replace(policy, rules=rules)


def check_job_spec(spec: JobSpec, old: JobSpec | None, at: str, findings: Findings) -> None:
    """Checks all but the selector. `at` is the path of the spec, `old` the spec before the change."""
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        findings.required(f"{at}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.managed_by is not None:
        _check_manager(spec.managed_by, f"{at}.managedBy", findings)
    if spec.completion_mode not in (None, INDEXED, NON_INDEXED):
        findings.unsupported(f"{at}.completionMode", spec.completion_mode, (NON_INDEXED, INDEXED))
    if spec.completion_mode == INDEXED:
        _check_indexed(spec, at, findings)
    elif spec.completion_mode in (None, NON_INDEXED):
        for name, value in (
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ):
            # A negative number is reported already.
            if value is not None and value >= 0:
                findings.invalid(f"{at}.{name}", value, "requires indexed completion mode")
    _check_policies(spec, at, findings)
    check_template(spec.template, old.template if old else None, f"{at}.template", findings)
    _check_restart(spec, f"{at}.template.spec.restartPolicy", findings)


def _check_manager(name: str, at: str, findings: Findings) -> None:
    domain, slash, path = name.partition("/")
    if not name:
        findings.required(at)
    elif not (domain and slash and path):
        findings.invalid(at, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        findings.form(at, domain, dns_subdomain(domain))
        if not _HTTP_PATH.fullmatch(path):
            findings.invalid(at, path, "Invalid path")
    if len(name) > _LONGEST_MANAGER:
        findings.too_long(at, _LONGEST_MANAGER)


def _check_indexed(spec: JobSpec, at: str, findings: Findings) -> None:
    if spec.completions is None:
        findings.required(f"{at}.completions", f"when completion mode is {INDEXED}")
    limits = [
        ("parallelism", spec.parallelism, _MOST_INDEXED_PODS, f"when completion mode is {INDEXED}"),
        ("maxFailedIndexes", spec.max_failed_indexes, _MOST_FAILED, ""),
    ]
    if spec.completions is not None and spec.completions > _MANY and spec.backoff_limit_per_index is not None:
        why = f"when completions are above {_MANY} and used with backoff limit per index"
        limits.append(("parallelism", spec.parallelism, _MOST_OF_MANY, why))
        limits.append(("maxFailedIndexes", spec.max_failed_indexes, _MOST_OF_MANY, why))
        if spec.max_failed_indexes is None:
            findings.required(f"{at}.maxFailedIndexes", f"must be specified when completions is above {_MANY}")
    for name, value, most, why in limits:
        if value is not None and value > most:
            findings.invalid(f"{at}.{name}", value, f"must be less than or equal to {most} {why}".rstrip())
    failed = spec.max_failed_indexes
    if failed is not None and spec.completions is not None and failed > spec.completions:
        findings.invalid(f"{at}.maxFailedIndexes", failed, "must be less than or equal to completions")


def _check_policies(spec: JobSpec, at: str, findings: Findings) -> None:
    replacement = spec.pod_replacement_policy
    allowed = ["Failed", "TerminatingOrFailed"] if spec.pod_failure_policy is None else ["Failed"]
    if spec.pod_failure_policy is not None:
        check_failure_policy(spec, f"{at}.podFailurePolicy", findings)
    if replacement is not None and replacement not in allowed:
        findings.unsupported(f"{at}.podReplacementPolicy", replacement, allowed)
    if spec.success_policy is not None:
        if spec.completion_mode != INDEXED:
            findings.invalid(f"{at}.successPolicy", spec.success_policy, "requires indexed completion mode")
        else:
            check_success_policy(spec, f"{at}.successPolicy", findings)


def _check_restart(spec: JobSpec, at: str, findings: Findings) -> None:
    policy = spec.template.spec.restart_policy
    if policy in ("", "Always"):
        findings.required(at, 'valid values: "OnFailure", "Never"')
    elif spec.pod_failure_policy is not None and policy == "OnFailure":
        findings.invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')
