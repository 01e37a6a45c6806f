"""Admission policies, their bindings and webhooks: rules about several fields, and the cells of the tables.

Expressions are not compiled: nothing runs them yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from master.registry.declaredcolumns import selector_text
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.forms import path_segment
from master.schema.names import dns_1035, dns_subdomain

_ALL: Final = "*"
_REVIEWS: Final = ("v1", "v1beta1")
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_MAX_AUDIT_ANNOTATIONS: Final = 20


class WebhooksStrategy(UntypedStrategy):
    """The rules of configurations of webhooks."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        for index, hook in enumerate(obj.content.get("webhooks", ())):
            at = f"webhooks[{index}]"
            _check_rules(hook.get("rules", ()), f"{at}.rules", findings)
            check_reviews(hook.get("admissionReviewVersions") or (), f"{at}.admissionReviewVersions", findings)
            _check_expressions(hook.get("matchConditions", ()), f"{at}.matchConditions", findings)


def check_reviews(versions: Sequence[str], at: str, findings: Findings) -> None:
    """Checks the versions of reviews that a webhook understands: one of them must be known to the server."""
    for index, version in enumerate(versions):
        if version in versions[:index]:
            findings.invalid(f"{at}[{index}]", version, "duplicate version")
        else:
            findings.form(f"{at}[{index}]", version, dns_1035(version))
    if versions and not any(version in _REVIEWS for version in versions):
        findings.invalid(at, versions, f"must include at least one of {', '.join(_REVIEWS)}")


def _check_rules(rules: Iterable[Mapping[str, Any]], at: str, findings: Findings) -> None:
    for index, rule in enumerate(rules):
        path = f"{at}[{index}]"
        for name in ("operations", "apiGroups", "apiVersions"):
            values = rule.get(name) or ()
            if _ALL in values and len(values) > 1:
                findings.invalid(f"{path}.{name}", values, f"if '*' is present, must not specify other {name}")
        for position, version in enumerate(rule.get("apiVersions") or ()):
            if not version:
                findings.required(f"{path}.apiVersions[{position}]")
        _check_resources(rule.get("resources") or [], f"{path}.resources", findings)
        for position, name in enumerate(rule.get("resourceNames", ())):
            findings.form(f"{path}.resourceNames[{position}]", name, path_segment(name))


def _check_resources(resources: list[str], at: str, findings: Findings) -> None:
    """Checks that no resource is named twice by wildcards: of resources, of subresources, or of both."""
    for index, text in enumerate(resources):
        resource, slash, sub = text.partition("/")
        if not text:
            findings.required(f"{at}[{index}]")
        if slash:
            for other in (f"{resource}/*", f"*/{sub}"):
                if other in resources[:index]:
                    findings.invalid(f"{at}[{index}]", text, f"if '{other}' is present, must not specify {text}")
    if "*/*" in resources and len(resources) > 1:
        findings.invalid(at, resources, "if '*/*' is present, must not specify other resources")
    plain = [text for text in resources if text and "/" not in text]
    if _ALL in plain and plain[-1] != _ALL:
        why = "if '*' is present, must not specify other resources without subresources"
        findings.invalid(at, resources, why)


def _check_expressions(items: Iterable[Mapping[str, Any]], at: str, findings: Findings) -> None:
    for index, item in enumerate(items):
        expression = item.get("expression", "")
        if expression and not expression.strip():
            findings.required(f"{at}[{index}].expression", "expression is not specified")


class _PolicyStrategy(UntypedStrategy):
    """What both kinds of policies share."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        if "paramKind" in spec:
            _check_kind(spec["paramKind"], "spec.paramKind", findings)
        constraints = spec.get("matchConstraints")
        if constraints is not None:
            _check_matches(constraints, "spec.matchConstraints", findings)
            if not constraints.get("resourceRules"):
                findings.required("spec.matchConstraints.resourceRules")
        _check_expressions(spec.get("matchConditions", ()), "spec.matchConditions", findings)
        for index, variable in enumerate(spec.get("variables", ())):
            name = variable.get("name", "")
            if name and not _IDENTIFIER.fullmatch(name):
                findings.invalid(f"spec.variables[{index}].name", name, "must be a valid CEL identifier")
        _check_expressions(spec.get("variables", ()), "spec.variables", findings)


class ValidatingPolicyStrategy(_PolicyStrategy):
    """The rules of validating policies."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        super().check_content(obj, findings)
        validations, annotations = obj.spec.get("validations", ()), obj.spec.get("auditAnnotations", ())
        if not validations and not annotations:
            for name in ("validations", "auditAnnotations"):
                why = "validations or auditAnnotations must contain at least one item"
                findings.required(f"spec.{name}", why)
        _check_expressions(validations, "spec.validations", findings)
        for index, validation in enumerate(validations):
            _check_texts(validation, f"spec.validations[{index}]", findings)
        if len(annotations) > _MAX_AUDIT_ANNOTATIONS:
            why = f"must not have more than {_MAX_AUDIT_ANNOTATIONS} auditAnnotations"
            findings.invalid("spec.auditAnnotations", len(annotations), why)


def _check_texts(validation: Mapping[str, Any], at: str, findings: Findings) -> None:
    for name in ("message", "messageExpression"):
        text = validation.get(name, "")
        if text and not text.strip():
            findings.invalid(f"{at}.{name}", text, "must be non-empty if specified")
    if "\n" in validation.get("message", "").strip():
        findings.invalid(f"{at}.message", validation["message"], "must not contain line breaks")


class MutatingPolicyStrategy(_PolicyStrategy):
    """The rules of mutating policies."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        super().check_content(obj, findings)
        for index, mutation in enumerate(obj.spec.get("mutations", ())):
            at, type_ = f"spec.mutations[{index}]", mutation.get("patchType", "")
            for name, field in (("ApplyConfiguration", "applyConfiguration"), ("JSONPatch", "jsonPatch")):
                if name == type_ and field not in mutation:
                    findings.required(f"{at}.{field}", f"must be specified when patchType is {name}")
                elif name != type_ and field in mutation and type_:
                    findings.invalid(
                        f"{at}.{field}", mutation[field], f"must not be specified when patchType is {type_}"
                    )


def _check_kind(kind: Mapping[str, Any], at: str, findings: Findings) -> None:
    version, name = kind.get("apiVersion", ""), kind.get("kind", "")
    group, _, bare = version.rpartition("/")
    if version.count("/") > 1:
        findings.invalid(f"{at}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif version:
        if group:
            findings.form(f"{at}.apiVersion", group, dns_subdomain(group))
        findings.form(f"{at}.apiVersion", version, dns_1035(bare) if bare else "version must be specified")
    if name and (wrong := dns_1035(name.lower())):
        findings.invalid(f"{at}.kind", name, f"may have mixed case, but should otherwise match: {wrong}")


def _check_matches(matches: Mapping[str, Any], at: str, findings: Findings) -> None:
    for name in ("resourceRules", "excludeResourceRules"):
        _check_rules(matches.get(name, ()), f"{at}.{name}", findings)


class BindingStrategy(UntypedStrategy):
    """The rules of bindings."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        if "matchResources" in obj.spec:
            _check_matches(obj.spec["matchResources"], "spec.matchResources", findings)
        actions = obj.spec.get("validationActions", ())
        if "Deny" in actions and "Warn" in actions:
            findings.invalid("spec.validationActions", actions, "must not contain both Deny and Warn")


def _param_ref(obj: Untyped, now: datetime) -> Cell:
    reference = obj.spec.get("paramRef")
    if reference is None:
        return "<unset>"
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    return selector_text(reference["selector"]) if "selector" in reference else "<unset>"


WEBHOOKS: Final = Supplement(WebhooksStrategy)
VALIDATINGPOLICY: Final = Supplement(ValidatingPolicyStrategy)
MUTATINGPOLICY: Final = Supplement(MutatingPolicyStrategy)
BINDING: Final = Supplement(BindingStrategy, cells={"ParamRef": _param_ref})
