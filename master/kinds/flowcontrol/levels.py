"""FlowSchema and PriorityLevelConfiguration: subjects and rules of requests, and the settings of levels."""

from __future__ import annotations

import math
from typing import Any, Final

from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_label, dns_subdomain

_ALL: Final = "*"
_EXEMPT: Final = "exempt"
_VERBS: Final = frozenset(
    ("get", "list", "create", "update", "delete", "deletecollection", "patch", "watch", "proxy", "connect")
)
# The kinds of subjects, and the field of each.
_SUBJECTS: Final = {"User": "user", "Group": "group", "ServiceAccount": "serviceAccount"}
# A flow chooses its queues by a hash of so many bits.
_HASH_BITS: Final = 60


class FlowSchemaStrategy(UntypedStrategy):
    """The rules of flow schemas."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        precedence = obj.spec.get("matchingPrecedence")
        if precedence == 1 and obj.metadata.name != _EXEMPT:
            why = "only the schema named 'exempt' may have matchingPrecedence 1"
            findings.invalid("spec.matchingPrecedence", precedence, why)
        for index, rule in enumerate(obj.spec.get("rules", ())):
            at = f"spec.rules[{index}]"
            for position, subject in enumerate(rule.get("subjects") or ()):
                _check_subject(subject, f"{at}.subjects[{position}]", findings)
            if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
                findings.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty")
            for position, inner in enumerate(rule.get("resourceRules", ())):
                _check_resources(inner, f"{at}.resourceRules[{position}]", findings)
            for position, inner in enumerate(rule.get("nonResourceRules", ())):
                _check_paths(inner, f"{at}.nonResourceRules[{position}]", findings)


def _check_subject(subject: dict[str, Any], at: str, findings: Findings) -> None:
    kind = subject.get("kind", "")
    findings.one_of(f"{at}.kind", kind, _SUBJECTS)
    if kind not in _SUBJECTS:
        return
    for name, field in _SUBJECTS.items():
        if name == kind and field not in subject:
            findings.required(f"{at}.{field}", f"{field} is required when subject kind is '{kind}'")
        elif name != kind and field in subject:
            findings.forbidden(f"{at}.{field}", f"{field} is forbidden when subject kind is not '{name}'")
    account = subject.get("serviceAccount")
    if kind == "ServiceAccount" and account is not None:
        name, namespace = account.get("name", ""), account.get("namespace", "")
        if name and name != _ALL:
            findings.form(f"{at}.serviceAccount.name", name, dns_subdomain(name))
        if namespace:
            findings.form(f"{at}.serviceAccount.namespace", namespace, dns_label(namespace))


def _check_resources(rule: dict[str, Any], at: str, findings: Findings) -> None:
    _check_verbs(rule, at, findings)
    for name in ("apiGroups", "resources"):
        _check_alone(rule.get(name) or (), f"{at}.{name}", findings)
    namespaces = rule.get("namespaces") or ()
    if not namespaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        findings.required(f"{at}.namespaces", why)
    elif _ALL in namespaces:
        _check_alone(namespaces, f"{at}.namespaces", findings)
    else:
        for index, namespace in enumerate(namespaces):
            findings.form(f"{at}.namespaces[{index}]", namespace, dns_label(namespace))


def _check_paths(rule: dict[str, Any], at: str, findings: Findings) -> None:
    _check_verbs(rule, at, findings)
    paths = rule.get("nonResourceURLs") or ()
    if _ALL in paths:
        _check_alone(paths, f"{at}.nonResourceURLs", findings)
        return
    for index, path in enumerate(paths):
        if wrong := _wrong_path(path):
            findings.invalid(f"{at}.nonResourceURLs[{index}]", path, wrong)


def _wrong_path(path: str) -> str:
    if not path:
        return "must not be empty"
    if path == "/":
        return ""
    if not path.startswith("/"):
        return "must start with slash"
    if " " in path:
        return "must not contain white-space"
    if "//" in path:
        return "must not contain double slash"
    return (
        "wildcard can only do suffix matching" if "*" in path[:-1] or (path.endswith("*") and path[-2] != "/") else ""
    )


def _check_verbs(rule: dict[str, Any], at: str, findings: Findings) -> None:
    verbs = rule.get("verbs") or ()
    if _ALL in verbs:
        _check_alone(verbs, f"{at}.verbs", findings)
    elif not _VERBS.issuperset(verbs):
        findings.unsupported(f"{at}.verbs", verbs, sorted(_VERBS))


def _check_alone(values: Any, at: str, findings: Findings) -> None:
    """`*` means all, so it must be the only value."""
    if _ALL in values and len(values) > 1:
        findings.invalid(at, values, "if '*' is present, must not specify others")


class PriorityLevelStrategy(UntypedStrategy):
    """The rules of priority levels."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec, type_ = obj.spec, obj.spec.get("type", "")
        if (obj.metadata.name == _EXEMPT) != (type_ == "Exempt"):
            findings.invalid("spec.type", type_, "must be 'Exempt' if and only if `name` is 'exempt'")
        if type_ == "Exempt" and "limited" in spec:
            findings.forbidden("spec.limited", "must be nil if the type is not Limited")
        if type_ == "Limited":
            if "exempt" in spec:
                findings.forbidden("spec.exempt", "must be nil if the type is Limited")
            if "limited" not in spec:
                findings.required("spec.limited", "must not be empty when type is Limited")
            else:
                _check_response(spec["limited"].get("limitResponse", {}), "spec.limited.limitResponse", findings)


def _check_response(response: dict[str, Any], at: str, findings: Findings) -> None:
    type_, queuing = response.get("type", ""), response.get("queuing")
    if type_ == "Reject" and queuing is not None:
        findings.forbidden(f"{at}.queuing", "must be nil if limited.limitResponse.type is not Limited")
    if type_ == "Queue" and queuing is None:
        findings.required(f"{at}.queuing", "must not be empty if limited.limitResponse.type is Limited")
    if type_ != "Queue" or queuing is None:
        return
    queues, hand = queuing.get("queues", 0), queuing.get("handSize", 0)
    if hand > queues:
        findings.invalid(f"{at}.queuing.handSize", hand, f"should not be greater than queues ({queues})")
    elif hand > 0 and (bits := math.ceil(sum(math.log2(queues - index) for index in range(hand)))) > _HASH_BITS:
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        findings.invalid(f"{at}.queuing.handSize", hand, f"{why}: {bits}")


FLOWSCHEMA: Final = Supplement(FlowSchemaStrategy)
PRIORITYLEVELCONFIGURATION: Final = Supplement(PriorityLevelStrategy)
