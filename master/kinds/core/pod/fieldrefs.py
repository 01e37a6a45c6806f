"""Checks of the downward API: references to fields of the pod and to resources of its containers."""

from __future__ import annotations

from typing import Final

from master.kinds.core.pod.keys import ObjectFieldSelector, ResourceFieldSelector
from master.schema.checks import Findings
from master.schema.quantity import canonical
from master.schema.resourcenames import HUGE_PAGES

# The fields of a pod that are known before its containers start, and those that files can show.
_ENV_FIELDS: Final = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
_MAPS: Final = ("metadata.annotations", "metadata.labels")
_VOLUME_FIELDS: Final = (*_MAPS, "metadata.name", "metadata.namespace", "metadata.uid")
_RESOURCES: Final = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_BYTES: Final = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS: Final = {
    "cpu": (("1m", "1"), "1m and 1", "cpu resource"),
    "memory": (_BYTES, ", ".join(_BYTES), "memory resource"),
    "ephemeral-storage": (_BYTES, ", ".join(_BYTES), "local ephemeral storage resource"),
}


def check_field(ref: ObjectFieldSelector, at: str, findings: Findings, *, in_volume: bool) -> None:
    """A field for a variable, or for a file in a volume."""
    path, known = ref.field_path, _VOLUME_FIELDS if in_volume else _ENV_FIELDS
    if not path or path in known:
        return
    name, bracket, _ = path.partition("['")
    if bracket and path.endswith("']") and name in _MAPS:
        return
    if path in _VOLUME_FIELDS or path in _ENV_FIELDS:
        findings.unsupported(f"{at}.fieldPath", path, known)
    else:
        why = f"error converting fieldPath: field label not supported: {path}"
        findings.invalid(f"{at}.fieldPath", path, why)


def check_resource(ref: ResourceFieldSelector, at: str, findings: Findings, *, in_volume: bool) -> None:
    """A resource for a variable, or for a file in a volume, which has to name the container."""
    if in_volume and not ref.container_name:
        findings.required(f"{at}.containerName")
    elif ref.resource:
        kind, _, name = ref.resource.partition(".")
        huge = kind in ("limits", "requests") and name.startswith(HUGE_PAGES)
        if ref.resource not in _RESOURCES and not huge:
            findings.unsupported(f"{at}.resource", ref.resource, _RESOURCES)
        else:
            _check_divisor(ref, name, at, findings)


def _check_divisor(ref: ResourceFieldSelector, name: str, at: str, findings: Findings) -> None:
    try:
        divisor = canonical(str(ref.divisor or "0"))
    except ValueError:
        return  # a finding of its own
    allowed, listed, what = _DIVISORS.get(name, (_BYTES, ", ".join(_BYTES), "hugepages resource"))
    if divisor != "0" and divisor not in allowed:
        why = f"only divisor's values {listed} are supported with the {what}"
        findings.invalid(f"{at}.divisor", ref.resource, why)
