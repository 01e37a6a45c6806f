"""Checks of a job's rules for failed pods, and of its rules for success."""

from __future__ import annotations

from typing import Final

from master.kinds.batch.indexes import parse_indexes
from master.kinds.batch.model import (
    JobSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from master.schema.checks import Findings
from master.schema.names import qualified_name

_MOST_RULES: Final = 20
_MOST_CODES: Final = 255
_MOST_CONDITIONS: Final = 20
_LONGEST_INDEXES: Final = 64 << 10
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS: Final = ("In", "NotIn")
_STATUSES: Final = ("False", "True", "Unknown")


def check_failure_policy(spec: JobSpec, at: str, findings: Findings) -> None:
    """`at` is the path of `podFailurePolicy`, which the spec has."""
    rules = spec.pod_failure_policy.rules if spec.pod_failure_policy else ()
    findings.at_most(f"{at}.rules", len(rules), _MOST_RULES)
    pod = spec.template.spec
    names = {container.name for container in (*pod.init_containers, *pod.containers)}
    for index, rule in enumerate(rules):
        _failure_rule(rule, f"{at}.rules[{index}]", findings, names=names, spec=spec)


def _failure_rule(rule: PodFailurePolicyRule, at: str, findings: Findings, *, names: set[str], spec: JobSpec) -> None:
    _choice(f"{at}.action", rule.action, _ACTIONS, findings)
    if rule.action == "FailIndex" and spec.backoff_limit_per_index is None:
        findings.invalid(f"{at}.action", rule.action, "requires the backoffLimitPerIndex to be set")
    if rule.on_exit_codes is not None:
        _exit_codes(rule.on_exit_codes, f"{at}.onExitCodes", findings, names)
    _conditions(rule.on_pod_conditions, f"{at}.onPodConditions", findings)
    if rule.on_exit_codes is not None and rule.on_pod_conditions:
        findings.invalid(at, rule, "specifying both OnExitCodes and OnPodConditions is not supported")
    if rule.on_exit_codes is None and not rule.on_pod_conditions:
        findings.invalid(at, rule, "specifying one of OnExitCodes and OnPodConditions is required")


def _choice(at: str, value: str, allowed: tuple[str, ...], findings: Findings) -> None:
    if not value:
        findings.required(at, f"valid values: {', '.join(allowed)}")
    elif value not in allowed:
        findings.unsupported(at, value, allowed)


def _conditions(patterns: tuple[PodFailurePolicyOnPodConditionsPattern, ...], at: str, findings: Findings) -> None:
    findings.at_most(at, len(patterns), _MOST_CONDITIONS)
    for index, pattern in enumerate(patterns):
        findings.form(f"{at}[{index}].type", pattern.type, qualified_name(pattern.type))
        _choice(f"{at}[{index}].status", pattern.status, _STATUSES, findings)


def _exit_codes(codes: PodFailurePolicyOnExitCodesRequirement, at: str, findings: Findings, names: set[str]) -> None:
    _choice(f"{at}.operator", codes.operator, _OPERATORS, findings)
    if codes.container_name is not None and codes.container_name not in names:
        why = "must be one of the container or initContainer names in the pod template"
        findings.invalid(f"{at}.containerName", codes.container_name, why)
    values = codes.values
    if not values:
        findings.invalid(f"{at}.values", values, "at least one value is required")
    findings.at_most(f"{at}.values", len(values), _MOST_CODES)
    seen: set[int] = set()
    for index, value in enumerate(values):
        if codes.operator == "In" and value == 0:
            findings.invalid(f"{at}.values[{index}]", value, "must not be 0 for the In operator")
        if value in seen:
            findings.duplicate(f"{at}.values[{index}]", value)
        seen.add(value)
    if tuple(sorted(values)) != values:
        findings.invalid(f"{at}.values", values, "must be ordered")


def check_success_policy(spec: JobSpec, at: str, findings: Findings) -> None:
    """`at` is the path of `successPolicy`, which the spec of an indexed job has."""
    rules = spec.success_policy.rules if spec.success_policy else ()
    if not rules:
        findings.required(f"{at}.rules", "at least one rules must be specified when the successPolicy is specified")
    findings.at_most(f"{at}.rules", len(rules), _MOST_RULES)
    if spec.completions is None:
        # Reported already, because an indexed job needs them.
        return
    for index, rule in enumerate(rules):
        _success_rule(rule, spec.completions, f"{at}.rules[{index}]", findings)


def _success_rule(rule: SuccessPolicyRule, completions: int, at: str, findings: Findings) -> None:
    indexes, count = rule.succeeded_indexes, rule.succeeded_count
    if indexes is None and count is None:
        findings.required(at, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if indexes is not None:
        if len(indexes) > _LONGEST_INDEXES:
            findings.too_long(f"{at}.succeededIndexes", _LONGEST_INDEXES)
        try:
            total = sum(len(part) for part in parse_indexes(indexes, completions))
        except ValueError as error:
            findings.invalid(f"{at}.succeededIndexes", indexes, f"error parsing succeededIndexes: {error}")
    if count is not None and count > completions:
        why = f"must be less than or equal to {completions} (the number of specified completions)"
        findings.invalid(f"{at}.succeededCount", count, why)
    if count is not None and indexes is not None and count > total:
        why = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        findings.invalid(f"{at}.succeededCount", count, why)
