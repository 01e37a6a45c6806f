"""CustomResourceDefinition: names, versions and schemas, and the cell with its condition."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from master.kinds.admissionregistration.policies import check_reviews
from master.kinds.apiextensions.structural import check_schema
from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_1035

_PATH: Final = re.compile(r"(\.[a-zA-Z_][a-zA-Z0-9_-]*(\[[^\]]*\])?)+|\.metadata\.[a-z]+(\[.*\])?")
_FORMATS: Final = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_APPROVED: Final = "api-approved.kubernetes.io"
_MAX_WARNING: Final = 256


class DefinitionStrategy(UntypedStrategy):
    """The rules of definitions."""

    def default(self, obj: Untyped) -> Untyped:
        spec, status = obj.spec, obj.status or {}
        names = _with_defaults(spec.get("names", {}))
        stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
        if not status.get("storedVersions") and stored:
            status = {**status, "storedVersions": stored[:1]}
        return replace(obj, content={**obj.content, "spec": {**spec, "names": names}, "status": status})

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        names, group, versions = spec.get("names", {}), spec.get("group", ""), spec.get("versions") or ()
        if obj.metadata.name != f"{names.get('plural', '')}.{group}":
            findings.invalid("metadata.name", obj.metadata.name, 'must be spec.names.plural+"."+spec.group')
        if group and "." not in group:
            findings.invalid("spec.group", group, "should be a domain with at least one dot")
        if not spec.get("scope"):
            findings.required("spec.scope")
        else:
            findings.one_of("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
        if spec.get("preserveUnknownFields"):
            why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in the schema instead"
            findings.invalid("spec.preserveUnknownFields", True, why)
        _check_approval(group, obj.metadata.annotations, findings)
        _check_names(names, findings)
        _check_versions(versions, findings)
        _check_stored((obj.status or {}).get("storedVersions") or (), versions, findings)
        _check_conversion(spec.get("conversion", {}), findings)

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        super().check_update(new, old, findings)
        if not _established(old, datetime.min):
            return
        for path in (("scope",), ("names", "kind")):
            before, after = (_at(obj.spec, path) for obj in (old, new))
            if before != after:
                findings.invalid(f"spec.{'.'.join(path)}", after, "field is immutable")


def _at(spec: Any, path: Sequence[str]) -> Any:
    for name in path:
        spec = spec.get(name, {})
    return spec


def _with_defaults(names: dict[str, Any]) -> dict[str, Any]:
    kind = names.get("kind", "")
    defaults = {"singular": kind.lower(), "listKind": f"{kind}List" if kind else ""}
    return {**names, **{name: value for name, value in defaults.items() if value and not names.get(name)}}


def _check_approval(group: str, annotations: Mapping[str, str], findings: Findings) -> None:
    """Groups of Kubernetes' own need an annotation with the place of the approval."""
    if not group.endswith((".k8s.io", ".kubernetes.io")) and group not in ("k8s.io", "kubernetes.io"):
        return
    at, value = f"metadata.annotations[{_APPROVED}]", annotations.get(_APPROVED)
    if value is None:
        findings.required(at, "protected groups must have approval annotation")
    elif not value.startswith(("https://", "unapproved")):
        findings.invalid(at, value, "must be a URL, or begin with unapproved")


def _check_names(names: Mapping[str, Any], findings: Findings) -> None:
    for name in ("singular", "listKind"):
        if not names.get(name):
            findings.required(f"spec.names.{name}")
    for name in ("plural", "singular"):
        if names.get(name):
            findings.form(f"spec.names.{name}", names[name], dns_1035(names[name]))
    for name in ("kind", "listKind"):
        if names.get(name) and (wrong := dns_1035(names[name].lower())):
            why = f"may have mixed case, but should otherwise match: {wrong}"
            findings.invalid(f"spec.names.{name}", names[name], why)
    for name in ("shortNames", "categories"):
        for index, text in enumerate(names.get(name, ())):
            findings.form(f"spec.names.{name}[{index}]", text, dns_1035(text))
    if names.get("kind") and names["kind"] == names.get("listKind"):
        findings.invalid("spec.names.listKind", names["kind"], "kind and listKind may not be the same")


def _check_versions(versions: Sequence[Mapping[str, Any]], findings: Findings) -> None:
    names = [version.get("name", "") for version in versions]
    if len(set(names)) < len(names):
        findings.invalid("spec.versions", names, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        findings.invalid("spec.versions", names, "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        _check_warning(version, at, findings)
        schema = version.get("schema", {}).get("openAPIV3Schema")
        if schema is None:
            findings.required(f"{at}.schema.openAPIV3Schema")
        else:
            check_schema(schema, f"{at}.schema.openAPIV3Schema", findings)
        if "scale" in version.get("subresources", {}):
            _check_scale(version["subresources"]["scale"], f"{at}.subresources.scale", findings)
        for position, column in enumerate(version.get("additionalPrinterColumns", ())):
            _check_column(column, f"{at}.additionalPrinterColumns[{position}]", findings)


def _check_warning(version: Mapping[str, Any], at: str, findings: Findings) -> None:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        findings.invalid(f"{at}.deprecationWarning", text, "can only be set for deprecated versions")
    elif not text:
        findings.invalid(f"{at}.deprecationWarning", text, "must not be an empty string")
    elif len(text) > _MAX_WARNING:
        findings.invalid(f"{at}.deprecationWarning", text, f"must be <= {_MAX_WARNING} characters long")
    elif not text.isprintable():
        findings.invalid(f"{at}.deprecationWarning", text, "must only contain printable UTF-8 characters")


def _check_scale(scale: Mapping[str, Any], at: str, findings: Findings) -> None:
    rules = {
        "specReplicasPath": (".spec.",),
        "statusReplicasPath": (".status.",),
        "labelSelectorPath": (".spec.", ".status."),
    }
    for name, prefixes in rules.items():
        path = scale.get(name, "")
        if not path:
            continue
        if not _PATH.fullmatch(path):
            findings.invalid(f"{at}.{name}", path, "should be a simple json path")
        elif not path.startswith(prefixes):
            findings.invalid(f"{at}.{name}", path, f"should be a json path under {' or '.join(prefixes)}")


def _check_column(column: Mapping[str, Any], at: str, findings: Findings) -> None:
    type_, format_, path = column.get("type", ""), column.get("format", ""), column.get("jsonPath", "")
    if type_ and type_ not in _COLUMN_TYPES:
        findings.invalid(f"{at}.type", type_, f"must be one of {','.join(_COLUMN_TYPES)}")
    if format_ and format_ not in _FORMATS:
        findings.invalid(f"{at}.format", format_, f"must be one of {','.join(_FORMATS)}")
    # Kubernetes spells the field like this here.
    if not path:
        findings.required(f"{at}.JSONPath")
    elif not path.startswith("."):
        findings.invalid(f"{at}.JSONPath", path, "should be a simple json path starting with .")


def _check_stored(stored: Sequence[str], versions: Sequence[Mapping[str, Any]], findings: Findings) -> None:
    at = "status.storedVersions"
    if not stored:
        findings.invalid(at, [], "must have at least one stored version")
        return
    for version in versions:
        if version.get("storage") and version.get("name") not in stored:
            findings.invalid(at, list(stored), f"must have the storage version {version.get('name')}")
    for index, name in enumerate(stored):
        if name not in [version.get("name") for version in versions]:
            findings.invalid(f"{at}[{index}]", name, "missing from spec.versions, which had it as a storage version")


def _check_conversion(conversion: Mapping[str, Any], findings: Findings) -> None:
    strategy, webhook = conversion.get("strategy", ""), conversion.get("webhook", {})
    at = "spec.conversion"
    if strategy:
        findings.one_of(f"{at}.strategy", strategy, ("None", "Webhook"))
    # The paths are those of Kubernetes' internal type.
    if strategy == "Webhook":
        if "clientConfig" not in webhook:
            findings.required(f"{at}.webhookClientConfig", "required when strategy is set to Webhook")
        if not webhook.get("conversionReviewVersions"):
            findings.required(f"{at}.conversionReviewVersions")
        check_reviews(webhook.get("conversionReviewVersions") or [], f"{at}.conversionReviewVersions", findings)
        return
    for name, path in (
        ("clientConfig", "webhookClientConfig"),
        ("conversionReviewVersions", "conversionReviewVersions"),
    ):
        if webhook.get(name):
            findings.forbidden(f"{at}.{path}", "should not be set when strategy is not set to Webhook")


def _established(obj: Untyped, now: datetime) -> bool:
    conditions = (obj.status or {}).get("conditions") or ()
    return any(item.get("type") == "Established" and item.get("status") == "True" for item in conditions)


CUSTOMRESOURCEDEFINITION: Final = Supplement(DefinitionStrategy, cells={"Established": _established})
