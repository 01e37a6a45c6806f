"""ResourceQuota: which resources it may limit with which scopes, and the cells of its table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from master.registry.declaredcolumns import CellOf
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema import quantity
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.resourcenames import quota_resource_name, resource_amount

_COMPUTE: Final = frozenset(
    ("pods", *(f"{prefix}{name}" for prefix in ("", "limits.", "requests.") for name in ("cpu", "memory")))
)
# The resources of Kubernetes that a scope can limit. Resources with a domain are never checked.
_SCOPES: Final = {
    "Terminating": _COMPUTE,
    "NotTerminating": _COMPUTE,
    "NotBestEffort": _COMPUTE,
    "PriorityClass": _COMPUTE,
    "CrossNamespacePodAffinity": _COMPUTE,
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}
_WITH_VALUES: Final = ("PriorityClass", "VolumeAttributesClass")
_CONFLICTS: Final = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_COMPARED: Final = ("cpu", "memory", "ephemeral-storage")


class ResourceQuotaStrategy(UntypedStrategy):
    """The rules of quotas."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        hard = obj.spec.get("hard", {})
        _check_amounts(hard, "spec.hard", findings)
        scopes = obj.spec.get("scopes", ())
        for scope in scopes:
            _check_scope(scope, hard, "spec.scopes", "spec.scopes", findings)
        _check_conflicts(scopes, "spec.scopes", findings)
        requirements = obj.spec.get("scopeSelector", {}).get("matchExpressions", ())
        for requirement in requirements:
            _check_requirement(requirement, hard, "spec.scopeSelector.matchExpressions", findings)
        names = [requirement.get("scopeName", "") for requirement in requirements]
        _check_conflicts(names, "spec.scopeSelector.matchExpressions", findings)
        _warn(hard, findings)

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        if set(new.spec.get("scopes", ())) != set(old.spec.get("scopes", ())):
            findings.invalid("spec.scopes", new.spec.get("scopes", []), "field is immutable")

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        for name in ("hard", "used"):
            _check_amounts(new.status.get(name, {}), f"status.{name}", findings)


def _check_amounts(amounts: dict[str, str], at: str, findings: Findings) -> None:
    for name, amount in amounts.items():
        findings.form(f"{at}[{name}]", name, quota_resource_name(name))
        if _parsed(amount) is not None:
            findings.form(f"{at}[{name}]", amount, resource_amount(name, amount))


def _parsed(amount: str) -> Any:
    try:
        return quantity.parse(amount)
    except ValueError:
        # The schema reports it.
        return None


def _check_scope(scope: str, hard: Iterable[str], at: str, scope_at: str, findings: Findings) -> None:
    if scope not in _SCOPES:
        findings.invalid(scope_at, scope, "unsupported scope")
        return
    for name in sorted(hard):
        if "/" not in name and not quota_resource_name(name) and name not in _SCOPES[scope]:
            findings.invalid(at, scope, "unsupported scope applied to resource")


def _check_requirement(requirement: dict[str, Any], hard: Iterable[str], at: str, findings: Findings) -> None:
    scope, operator = requirement.get("scopeName", ""), requirement.get("operator", "")
    _check_scope(scope, hard, at, f"{at}.scopeName", findings)
    if scope in _SCOPES and scope not in _WITH_VALUES and operator != "Exists":
        findings.invalid(f"{at}.operator", operator, f"must be 'Exists' for the scope {scope}")
    values = requirement.get("values", ())
    if operator in ("In", "NotIn"):
        if not values:
            findings.required(f"{at}.values", "must be at least one value when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            findings.invalid(f"{at}.values", values, "must be no value when `operator` is 'Exist' or 'DoesNotExist'")
    else:
        findings.invalid(f"{at}.operator", operator, "not a valid selector operator")


def _check_conflicts(scopes: Iterable[str], at: str, findings: Findings) -> None:
    names = set(scopes)
    for pair in _CONFLICTS:
        if pair <= names:
            findings.invalid(at, sorted(names), "conflicting scopes")


def _warn(hard: dict[str, str], findings: Findings) -> None:
    """Warns about requests that are larger than the limits."""
    for name in _COMPARED:
        request_name = next((key for key in (f"requests.{name}", name) if key in hard), "")
        request, limit = _parsed(hard.get(request_name, "")), _parsed(hard.get(f"limits.{name}", ""))
        if request is not None and limit is not None and request > limit:
            text = f"{request_name} ({hard[request_name]}) should be less than limits.{name} ({hard[f'limits.{name}']})"
            findings.warnings.append(f"ResourceQuota {text}")


def _used(*, limits: bool) -> CellOf:
    def cell(obj: Untyped, now: datetime) -> Cell:
        status = obj.status or {}
        used = status.get("used", {})
        amounts = sorted(status.get("hard", {}).items())
        parts = [
            f"{name}: {used.get(name, '0')}/{amount}"
            for name, amount in amounts
            if name.startswith("limits.") is limits
        ]
        return ", ".join(parts)

    return cell


RESOURCEQUOTA: Final = Supplement(
    ResourceQuotaStrategy, cells={"Request": _used(limits=False), "Limit": _used(limits=True)}
)
