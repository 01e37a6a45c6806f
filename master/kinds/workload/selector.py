"""Checks of label selectors, and of a workload's selector together with the labels of its template."""

from __future__ import annotations

from collections.abc import Mapping

from master.objects.labelselector import is_empty, matches
from master.objects.meta import LabelSelector, LabelSelectorRequirement
from master.schema.checks import Findings
from master.schema.names import label_value, qualified_name

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
MISMATCH = "`selector` does not match template `labels`"


def check_selector(selector: LabelSelector | None, at: str, findings: Findings) -> None:
    """Checks the syntax of a selector. `at` is its path."""
    if selector is None:
        return
    findings.labels(f"{at}.matchLabels", selector.match_labels)
    for index, condition in enumerate(selector.match_expressions):
        _check_condition(condition, f"{at}.matchExpressions[{index}]", findings)


def _check_condition(condition: LabelSelectorRequirement, at: str, findings: Findings) -> None:
    if condition.operator not in _OPERATORS:
        findings.invalid(f"{at}.operator", condition.operator, "not a valid selector operator")
    elif condition.operator in ("In", "NotIn"):
        if not condition.values:
            findings.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif condition.values:
        findings.forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    findings.form(f"{at}.key", condition.key, qualified_name(condition.key))
    for index, value in enumerate(condition.values):
        findings.form(f"{at}.values[{index}]", value, label_value(value))


def is_usable(selector: LabelSelector) -> bool:
    """Whether the selector can be evaluated: it breaks no rule of `check_selector`."""
    findings = Findings()
    check_selector(selector, "", findings)
    return not findings


def check_workload_selector(
    selector: LabelSelector | None, labels: Mapping[str, str], kind: str, findings: Findings
) -> None:
    """Checks `spec.selector`, which must match the labels of `spec.template`. `kind` is for messages."""
    at = "spec.selector"
    if selector is None:
        findings.required(at)
    else:
        check_selector(selector, at, findings)
        if is_empty(selector):
            findings.invalid(at, {}, f"empty selector is invalid for {kind}")
    if selector is not None and not is_usable(selector):
        findings.invalid(at, selector, "invalid label selector")
    elif not matches(selector, labels):
        findings.invalid("spec.template.metadata.labels", labels, MISMATCH)


def check_selector_stays(new: LabelSelector | None, old: LabelSelector | None, findings: Findings) -> None:
    """The selector cannot be changed."""
    if new != old:
        findings.invalid("spec.selector", new, IMMUTABLE)


IMMUTABLE = "field is immutable"
