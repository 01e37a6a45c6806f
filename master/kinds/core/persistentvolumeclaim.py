"""PersistentVolumeClaim: what it may ask for, and what may change later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from master.kinds.core.claims import CLASS_ANNOTATION, check_access_modes, phase_cell
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy, with_spec
from master.schema import quantity
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_label, dns_subdomain

_SOURCES: Final = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
_IMMUTABLE: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


class PersistentVolumeClaimStrategy(UntypedStrategy):
    """The rules of claims."""

    def default(self, obj: Untyped) -> Untyped:
        return with_spec(obj, with_both_sources(obj.spec))

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        check_claim(obj.spec, "spec", findings)

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        if _fixed(new.spec, new, old) != _fixed(old.spec, new, old):
            findings.forbidden("spec", _IMMUTABLE)
        before, after = _storage(old.spec), _storage(new.spec)
        capacity = (old.status or {}).get("capacity", {}).get("storage", "0")
        if after < before and after <= quantity.parse(capacity):
            findings.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
        if new.spec.get("volumeMode") != old.spec.get("volumeMode"):
            findings.invalid("volumeMode", new.spec.get("volumeMode"), "field is immutable")
        current = (old.status or {}).get("currentVolumeAttributesClassName")
        if current is not None and not new.spec.get("volumeAttributesClassName"):
            why = "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil"
            findings.forbidden("spec.volumeAttributesClassName", why)


def check_claim(spec: dict[str, Any], at: str, findings: Findings) -> None:
    """Checks what a claim asks for. A claim may also be a part of another object, as a template."""
    check_access_modes(spec, at, findings)
    storage = spec.get("resources", {}).get("requests", {}).get("storage")
    if storage is None:
        findings.required(f"{at}.resources[storage]")
    else:
        findings.positive(f"{at}.resources[storage]", storage)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            findings.form(f"{at}.{name}", spec[name], dns_subdomain(spec[name]))
    findings.one_of(f"{at}.volumeMode", spec.get("volumeMode", "Filesystem"), ("Block", "Filesystem"))
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for name, value in (("dataSource", source), ("dataSourceRef", reference)):
        if value is not None:
            _check_source(value, f"{at}.{name}", findings)
    if source is None or reference is None:
        return
    if reference.get("namespace"):
        findings.invalid(at, f"{at}.dataSource", "may not be specified when dataSourceRef.namespace is specified")
    elif {**reference, "namespace": None} != {**source, "namespace": None}:
        findings.invalid(at, f"{at}.dataSource", "must match dataSourceRef")


def _check_source(source: dict[str, Any], at: str, findings: Findings) -> None:
    group = source.get("apiGroup") or ""
    if group:
        findings.form(f"{at}.apiGroup", group, dns_subdomain(group))
    elif source.get("kind") != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        findings.invalid(at, source.get("kind", ""), why)
    if source.get("namespace"):
        findings.form(f"{at}.namespace", source["namespace"], dns_label(source["namespace"]))


def with_both_sources(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with dataSource and dataSourceRef, which mean the same, if one of them is set.

    As in Kubernetes, a dataSource alone that is neither a claim nor a snapshot is dropped.
    """
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if reference is None and source is not None:
        if ((source.get("apiGroup") or ""), source.get("kind")) in _SOURCES:
            return {**spec, "dataSourceRef": source}
        return {name: value for name, value in spec.items() if name != "dataSource"}
    if source is None and reference is not None and not reference.get("namespace"):
        return {**spec, "dataSource": {name: value for name, value in reference.items() if name != "namespace"}}
    return spec


def _fixed(spec: Mapping[str, Any], new: Untyped, old: Untyped) -> dict[str, Any]:
    """What of a spec must stay the same in this update."""
    fixed = dict(spec)
    if not old.spec.get("volumeName"):
        fixed.pop("volumeName", None)
    annotation = old.metadata.annotations.get(CLASS_ANNOTATION)
    if "storageClassName" not in old.spec and annotation in (None, new.spec.get("storageClassName")):
        # The default class may come later than the claim.
        fixed.pop("storageClassName", None)
    if (old.status or {}).get("phase") == "Bound":
        fixed.pop("volumeAttributesClassName", None)
        resources = fixed.get("resources", {})
        requests = {name: value for name, value in resources.get("requests", {}).items() if name != "storage"}
        fixed["resources"] = {**resources, "requests": requests}
    return fixed


def _storage(spec: Mapping[str, Any]) -> Any:
    try:
        return quantity.parse(spec.get("resources", {}).get("requests", {}).get("storage", "0"))
    except ValueError:
        # Reported by the checks of the new object.
        return quantity.parse("0")


def _of_volume(obj: Untyped, value: Cell) -> Cell:
    return value if obj.spec.get("volumeName") else ""


def _capacity(obj: Untyped, now: datetime) -> Cell:
    return _of_volume(obj, (obj.status or {}).get("capacity", {}).get("storage", "0"))


PERSISTENTVOLUMECLAIM: Final = Supplement(
    PersistentVolumeClaimStrategy, cells={"Status": phase_cell, "Capacity": _capacity}
)
