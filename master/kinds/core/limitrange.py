"""LimitRange: its defaults, and how least, default and largest amounts must fit together."""

from __future__ import annotations

from typing import Any, Final

from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy, with_spec
from master.schema import quantity
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import qualified_name
from master.schema.resourcenames import container_resource_name, may_be_overcommitted, resource_name

_TYPES: Final = ("Pod", "Container", "PersistentVolumeClaim")
_LISTS: Final = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
# The first amount must not be greater than the second one; the third is the field with the problem.
_ORDER: Final = (
    ("min", "max", "min"),
    ("min", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "max", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest"),
    ("min", "default", "default"),
    ("default", "max", "default"),
)


class LimitRangeStrategy(UntypedStrategy):
    """The rules of limit ranges."""

    def default(self, obj: Untyped) -> Untyped:
        limits = obj.spec.get("limits")
        return with_spec(obj, {**obj.spec, "limits": [_with_defaults(item) for item in limits]}) if limits else obj

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        seen: set[str] = set()
        for index, item in enumerate(obj.spec.get("limits") or ()):
            at = f"spec.limits[{index}]"
            type_ = item.get("type", "")
            _check_type(type_, f"{at}.type", findings)
            if type_ in seen:
                findings.duplicate(f"{at}.type", type_)
            seen.add(type_)
            _check_names(item, at, findings)
            names = {name for kind in _LISTS for name in item.get(kind, {})}
            for name in sorted(names):
                _check_amounts(item, name, at, findings)


def _with_defaults(item: dict[str, Any]) -> dict[str, Any]:
    """Limits default to the largest amounts, requests to limits and then to the least amounts, for containers only."""
    if item.get("type") != "Container":
        return item
    limits = {**item.get("max", {}), **item.get("default", {})}
    requests = {**item.get("min", {}), **limits, **item.get("defaultRequest", {})}
    amounts = {name: value for name, value in (("default", limits), ("defaultRequest", requests)) if value}
    return {**item, **amounts}


def _check_type(type_: str, at: str, findings: Findings) -> None:
    if wrong := qualified_name(type_):
        findings.invalid(at, type_, wrong)
    elif "/" not in type_ and type_ not in _TYPES:
        findings.invalid(at, type_, "must be a standard limit type or fully qualified")


def _check_names(item: dict[str, Any], at: str, findings: Findings) -> None:
    type_ = item.get("type", "")
    wrong = container_resource_name if type_ in ("Pod", "Container") else resource_name
    for kind in _LISTS:
        amounts = item.get(kind, {})
        if amounts and type_ == "Pod" and kind in ("default", "defaultRequest"):
            findings.forbidden(f"{at}.{kind}", "may not be specified when `type` is 'Pod'")
            continue
        for name in amounts:
            findings.form(f"{at}.{kind}[{name}]", name, wrong(name))
    if type_ == "PersistentVolumeClaim" and not any("storage" in item.get(kind, {}) for kind in ("min", "max")):
        why = "either minimum or maximum storage value is required, but neither was provided"
        findings.required(f"{at}.limits", why)


def _check_amounts(item: dict[str, Any], name: str, at: str, findings: Findings) -> None:
    try:
        amounts = {kind: quantity.parse(item[kind][name]) for kind in _LISTS if name in item.get(kind, {})}
    except ValueError:
        # The schema reports what is not a quantity.
        return
    if item.get("type") == "Pod":
        amounts = {kind: amount for kind, amount in amounts.items() if not kind.startswith("default")}
    for less, more, field in _ORDER:
        if less in amounts and more in amounts and amounts[less] > amounts[more]:
            why = f"{less} value {item[less][name]} is greater than {more} value {item[more][name]}"
            findings.invalid(f"{at}.{field}[{name}]", item[field][name], why)
    _check_ratio(amounts, name, at, findings)
    default, request = amounts.get("default"), amounts.get("defaultRequest")
    if not may_be_overcommitted(name) and default is not None and request is not None and default != request:
        why = f"default value {default} must equal to defaultRequest value {request} in {name}"
        findings.invalid(f"{at}.defaultRequest[{name}]", item["defaultRequest"][name], why)


def _check_ratio(amounts: dict[str, Any], name: str, at: str, findings: Findings) -> None:
    ratio = amounts.get("maxLimitRequestRatio")
    if ratio is None:
        return
    path = f"{at}.maxLimitRequestRatio[{name}]"
    if ratio < 1:
        findings.invalid(path, str(ratio), f"ratio {ratio} is less than 1")
    least, most = amounts.get("min"), amounts.get("max")
    if least and most is not None and ratio > most / least:
        findings.invalid(path, str(ratio), f"ratio {ratio} is greater than max/min = {float(most / least):f}")


LIMITRANGE: Final = Supplement(LimitRangeStrategy)
