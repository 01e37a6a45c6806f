"""Roles and bindings: rules about resources and paths, and subjects."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_subdomain

_GROUP: Final = "rbac.authorization.k8s.io"
_KINDS: Final = ("ServiceAccount", "User", "Group")


class RoleStrategy(UntypedStrategy):
    """The rules of roles in namespaces."""

    namespaced = True

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        for index, rule in enumerate(obj.content.get("rules") or ()):
            _check_rule(rule, f"rules[{index}]", findings, namespaced=self.namespaced)


class ClusterRoleStrategy(RoleStrategy):
    """The rules of cluster roles."""

    namespaced = False


def _check_rule(rule: dict[str, Any], at: str, findings: Findings, *, namespaced: bool) -> None:
    paths = rule.get("nonResourceURLs")
    if not paths:
        for name, what in (("apiGroups", "api group"), ("resources", "resource")):
            if not rule.get(name):
                findings.required(f"{at}.{name}", f"resource rules must supply at least one {what}")
        return
    if namespaced:
        findings.invalid(f"{at}.nonResourceURLs", paths, "namespaced rules cannot apply to non-resource URLs")
    if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
        why = "rules cannot apply to both regular resources and non-resource URLs"
        findings.invalid(f"{at}.nonResourceURLs", paths, why)


class RoleBindingStrategy(UntypedStrategy):
    """The rules of bindings in namespaces."""

    namespaced = True

    def default(self, obj: Untyped) -> Untyped:
        subjects = obj.content.get("subjects")
        if not subjects:
            return obj
        return replace(obj, content={**obj.content, "subjects": [_with_group(subject) for subject in subjects]})

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        for index, subject in enumerate(obj.content.get("subjects") or ()):
            _check_subject(subject, f"subjects[{index}]", findings, namespaced=self.namespaced)


class ClusterRoleBindingStrategy(RoleBindingStrategy):
    """The rules of cluster role bindings."""

    namespaced = False


def _with_group(subject: dict[str, Any]) -> dict[str, Any]:
    if subject.get("apiGroup") or subject["kind"] not in ("User", "Group"):
        return subject
    return {**subject, "apiGroup": _GROUP}


def _check_subject(subject: dict[str, Any], at: str, findings: Findings, *, namespaced: bool) -> None:
    kind, group, name = subject["kind"], subject.get("apiGroup", ""), subject["name"]
    findings.one_of(f"{at}.kind", kind, _KINDS)
    if kind == "ServiceAccount":
        if name:
            findings.form(f"{at}.name", name, dns_subdomain(name))
        if group:
            findings.unsupported(f"{at}.apiGroup", group, [""])
        if not namespaced and not subject.get("namespace"):
            findings.required(f"{at}.namespace")
    elif kind in _KINDS:
        findings.one_of(f"{at}.apiGroup", group, (_GROUP,))


def _accounts(obj: Untyped, now: datetime) -> Cell:
    subjects = [subject for subject in obj.content.get("subjects") or () if subject.get("kind") == "ServiceAccount"]
    return ", ".join(f"{subject.get('namespace', '')}/{subject.get('name', '')}" for subject in subjects)


_CELLS: Final = {"ServiceAccounts": _accounts}
ROLE: Final = Supplement(RoleStrategy)
CLUSTERROLE: Final = Supplement(ClusterRoleStrategy)
ROLEBINDING: Final = Supplement(RoleBindingStrategy, cells=_CELLS)
CLUSTERROLEBINDING: Final = Supplement(ClusterRoleBindingStrategy, cells=_CELLS)
