"""Checks of objects that many kinds contain, on their JSON: selectors, and other types with rules about several fields.

Files of passive kinds name these functions for types (`check`). The fields themselves have been checked already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from master.schema.checks import Findings
from master.schema.names import dns_subdomain, label_value, qualified_name

_LABEL_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_NODE_OPERATORS: Final = (*_LABEL_OPERATORS, "Gt", "Lt")
_REASON: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_TARGETS: Final = ("Utilization", "Value", "AverageValue")


def label_selector(selector: dict[str, Any], at: str, findings: Findings) -> None:
    """meta.v1.LabelSelector: labels and requirements about labels."""
    for key, value in selector.get("matchLabels", {}).items():
        findings.form(f"{at}.matchLabels", key, qualified_name(key))
        findings.form(f"{at}.matchLabels", value, label_value(value))
    for index, requirement in enumerate(selector.get("matchExpressions", ())):
        _check_requirement(requirement, f"{at}.matchExpressions[{index}]", findings, _LABEL_OPERATORS)


def node_selector(selector: dict[str, Any], at: str, findings: Findings) -> None:
    """core.v1.NodeSelector: requirements about labels of nodes, and about their names."""
    for index, term in enumerate(selector.get("nodeSelectorTerms") or ()):
        path = f"{at}.nodeSelectorTerms[{index}]"
        for position, requirement in enumerate(term.get("matchExpressions", ())):
            _check_requirement(requirement, f"{path}.matchExpressions[{position}]", findings, _NODE_OPERATORS)
        for position, requirement in enumerate(term.get("matchFields", ())):
            _check_node_name(requirement, f"{path}.matchFields[{position}]", findings)


def _check_requirement(requirement: dict[str, Any], at: str, findings: Findings, operators: Iterable[str]) -> None:
    """Checks that the operator is known and has the values that it needs, and the forms of key and values."""
    operator, values = requirement.get("operator", ""), requirement.get("values", ())
    if operator not in operators:
        findings.invalid(f"{at}.operator", operator, "not a valid selector operator")
    elif operator in ("In", "NotIn"):
        if not values:
            findings.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            findings.forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif len(values) != 1:
        findings.required(f"{at}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    key = requirement.get("key", "")
    findings.form(f"{at}.key", key, qualified_name(key))
    for index, value in enumerate(values):
        findings.form(f"{at}.values[{index}]", value, label_value(value))


def _check_node_name(requirement: dict[str, Any], at: str, findings: Findings) -> None:
    operator, values = requirement.get("operator", ""), requirement.get("values", ())
    if operator not in ("In", "NotIn"):
        findings.invalid(f"{at}.operator", operator, "not a valid selector operator")
    elif len(values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        findings.required(f"{at}.values", why)
    if requirement.get("key") != "metadata.name":
        findings.invalid(f"{at}.key", requirement.get("key", ""), "not a valid field selector key")
        return
    for index, value in enumerate(values):
        findings.form(f"{at}.values[{index}]", value, dns_subdomain(value))


def conditions(values: Iterable[dict[str, Any]], at: str, findings: Findings) -> None:
    """A list of meta.v1.Condition, of which no two have the same type."""
    seen: set[str] = set()
    for index, condition in enumerate(values):
        path, type_ = f"{at}[{index}]", condition.get("type", "")
        if type_ in seen:
            findings.duplicate(f"{path}.type", type_)
        seen.add(type_)
        if type_:
            findings.form(f"{path}.type", type_, qualified_name(type_))
        findings.one_of(f"{path}.status", condition.get("status", ""), ("False", "True", "Unknown"))
        if condition.get("observedGeneration", 0) < 0:
            findings.invalid(
                f"{path}.observedGeneration", condition["observedGeneration"], "must be greater than or equal to zero"
            )
        if condition.get("lastTransitionTime") is None:
            findings.required(f"{path}.lastTransitionTime", "must be set")
        reason = condition.get("reason", "")
        if reason and not _REASON.fullmatch(reason):
            why = (
                "a condition reason must start with alphabetic character and end with an alphanumeric character or '_'"
            )
            findings.invalid(f"{path}.reason", reason, why)


def webhook_client(client: dict[str, Any], at: str, findings: Findings) -> None:
    """WebhookClientConfig: either a URL or a Service."""
    if ("url" in client) == ("service" in client):
        findings.required(at, "exactly one of url or service is required")
        return
    if "url" in client:
        _check_url(client["url"], f"{at}.url", findings)
    path = client.get("service", {}).get("path")
    if path is not None:
        _check_path(path, f"{at}.service.path", findings)


def _check_url(url: str, at: str, findings: Findings) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        findings.required(at, f"url must be a valid URL: {error}")
        return
    if parts.scheme != "https":
        findings.invalid(at, url, "'https' is the only allowed URL scheme")
    if not parts.netloc:
        findings.invalid(at, url, "host must be specified")
    if parts.username is not None:
        findings.invalid(at, url, "user information is not permitted in the URL")
    if parts.fragment:
        findings.invalid(at, url, "fragments are not permitted in the URL")
    if parts.query:
        findings.invalid(at, url, "query parameters are not permitted in the URL")


def _check_path(path: str, at: str, findings: Findings) -> None:
    if not path.startswith("/"):
        findings.invalid(at, path, "must start with a '/'")
        return
    if path == "/":
        return
    steps = path[1:].removesuffix("/").split("/")
    for index, step in enumerate(steps):
        if not step:
            findings.invalid(at, path, f"segment[{index}] may not be empty")
        elif wrong := dns_subdomain(step):
            findings.invalid(at, path, f"segment[{index}]: {wrong}")


def param_ref(reference: dict[str, Any], at: str, findings: Findings) -> None:
    """ParamRef of a policy's binding: either a name or a selector."""
    name, selector = reference.get("name", ""), reference.get("selector")
    if name and selector is not None:
        findings.forbidden(f"{at}.name", "name and selector are mutually exclusive")
        findings.forbidden(f"{at}.selector", "name and selector are mutually exclusive")
    elif not name and selector is None:
        findings.required(at, "one of name or selector must be specified")


def metric_target(target: dict[str, Any], at: str, findings: Findings) -> None:
    """MetricTarget of an autoscaler: values are positive."""
    type_ = target.get("type", "")
    if type_ not in _TARGETS:
        findings.invalid(f"{at}.type", type_, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if name in target:
            findings.positive(f"{at}.{name}", target[name])
