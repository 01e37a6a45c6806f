"""What volumes and claims share: access modes, classes, and the phase in tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from master.registry.table import Cell
from master.schema.checks import Findings
from master.schema.data import Untyped

CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
"""Names the storage class in old manifests."""

_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_ONE_POD: Final = "ReadWriteOncePod"


def check_access_modes(spec: dict[str, Any], at: str, findings: Findings) -> None:
    """At least one mode, and ReadWriteOncePod only alone."""
    modes = spec.get("accessModes", ())
    if not modes:
        findings.required(f"{at}.accessModes", "at least 1 access mode is required")
    for mode in modes:
        findings.one_of(f"{at}.accessModes", mode, _MODES)
    if _ONE_POD in modes and any(mode in _MODES for mode in modes if mode != _ONE_POD):
        findings.forbidden(f"{at}.accessModes", "may not use ReadWriteOncePod with other access modes")


def has_class(claim: Untyped) -> bool:
    """Whether a claim says which storage class it wants. An empty name is an answer too."""
    return CLASS_ANNOTATION in claim.metadata.annotations or claim.spec.get("storageClassName") is not None


def phase_cell(obj: Untyped, now: datetime) -> Cell:
    """The phase, or that the object is being deleted."""
    phase: str = (obj.status or {}).get("phase", "")
    return "Terminating" if obj.metadata.deletion_timestamp else phase
