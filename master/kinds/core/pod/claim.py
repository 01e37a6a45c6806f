"""PersistentVolumeClaim as part of other objects: the model, and the defaults and checks of its spec."""

from __future__ import annotations

from typing import Final

from msgspec import field
from msgspec.structs import replace

from master.kinds.core.pod.status import VolumeHealthCondition
from master.kinds.core.pod.storage import (
    PersistentVolumeClaimSpec,
    TypedLocalObjectReference,
    TypedObjectReference,
    VolumeResourceRequirements,
)
from master.kinds.quantities import canonical_quantities
from master.kinds.workload.selector import check_selector
from master.objects.meta import Model, Object, always
from master.objects.scalars import Quantity, Time
from master.schema import quantity
from master.schema.checks import Findings
from master.schema.names import dns_subdomain

_ONE_POD: Final = "ReadWriteOncePod"
_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", _ONE_POD)
_STORAGE: Final = "storage"


class PersistentVolumeClaimCondition(Model, frozen=True, kw_only=True):
    """One aspect of a claim's state, such as Resizing. `status` is True, False or Unknown."""

    type: str = always("")
    status: str = always("")
    last_probe_time: Time = ""
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class ModifyVolumeStatus(Model, frozen=True, kw_only=True):
    """The progress of a change of the volume's attributes: Pending, InProgress or Infeasible."""

    target_volume_attributes_class_name: str = ""
    status: str = always("")


class VolumeHealthStatus(Model, frozen=True, kw_only=True):
    """The problems of the volume."""

    health_conditions: tuple[VolumeHealthCondition, ...] = ()
    last_transition_time: Time = ""


class PersistentVolumeClaimStatus(Model, frozen=True, kw_only=True):
    """The observed state of a claim. `phase` is Pending, Bound or Lost."""

    phase: str = ""
    access_modes: tuple[str, ...] = ()
    capacity: dict[str, Quantity] = field(default_factory=dict)
    conditions: tuple[PersistentVolumeClaimCondition, ...] = ()
    allocated_resources: dict[str, Quantity] = field(default_factory=dict)
    allocated_resource_statuses: dict[str, str] = field(default_factory=dict)
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: ModifyVolumeStatus | None = None
    health_status: VolumeHealthStatus | None = None


class PersistentVolumeClaim(Object, frozen=True, kw_only=True):
    """A request for a volume."""

    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = field(default_factory=PersistentVolumeClaimStatus)


def default_claim(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    """The claim with all defaults, as a template of claims has it."""
    return replace(
        claim,
        api_version="v1",
        kind="PersistentVolumeClaim",
        spec=default_claim_spec(claim.spec),
        status=replace(claim.status, phase=claim.status.phase or "Pending"),
    )


def default_claim_spec(spec: PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec:
    """The spec with all defaults: a file system, and quantities in their stored form."""
    resources = VolumeResourceRequirements(
        limits=canonical_quantities(spec.resources.limits), requests=canonical_quantities(spec.resources.requests)
    )
    return replace(spec, volume_mode=spec.volume_mode or "Filesystem", resources=resources)


def check_claim_spec(spec: PersistentVolumeClaimSpec, at: str, findings: Findings) -> None:
    """Checks a spec that has its defaults. `at` is its path."""
    if not spec.access_modes:
        findings.required(f"{at}.accessModes", "at least 1 access mode is required")
    unknown = next((mode for mode in spec.access_modes if mode not in _MODES), None)
    if unknown is not None:
        findings.unsupported(f"{at}.accessModes", unknown, _MODES)
    if _ONE_POD in spec.access_modes and any(mode in _MODES and mode != _ONE_POD for mode in spec.access_modes):
        findings.forbidden(f"{at}.accessModes", f"may not use {_ONE_POD} with other access modes")
    check_selector(spec.selector, f"{at}.selector", findings)
    _check_size(spec.resources.requests.get(_STORAGE), f"{at}.resources[{_STORAGE}]", findings)
    for name, value in (
        ("storageClassName", spec.storage_class_name),
        ("volumeAttributesClassName", spec.volume_attributes_class_name),
    ):
        if value:
            findings.form(f"{at}.{name}", value, dns_subdomain(value))
    _check_source(spec.data_source, f"{at}.dataSource", findings)
    _check_source(spec.data_source_ref, f"{at}.dataSourceRef", findings)
    _check_both(spec, at, findings)


def _check_size(size: str | None, at: str, findings: Findings) -> None:
    if size is None:
        findings.required(at)
        return
    try:
        if quantity.parse(size) <= 0:
            findings.invalid(at, size, "must be greater than zero")
    except ValueError:
        # The model reports text that is not a quantity.
        return


def _check_source(source: TypedLocalObjectReference | TypedObjectReference | None, at: str, findings: Findings) -> None:
    if source is None:
        return
    if source.api_group:
        findings.form(f"{at}.apiGroup", source.api_group, dns_subdomain(source.api_group))
    elif source.kind != "PersistentVolumeClaim":
        findings.invalid(at, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")


def _check_both(spec: PersistentVolumeClaimSpec, at: str, findings: Findings) -> None:
    """Of two sources, both name the same object."""
    source, reference = spec.data_source, spec.data_source_ref
    if source is None or reference is None:
        return
    if reference.namespace:
        findings.invalid(at, f"{at}.dataSource", "may not be specified when dataSourceRef.namespace is specified")
    elif (source.api_group, source.kind, source.name) != (reference.api_group, reference.kind, reference.name):
        findings.invalid(at, f"{at}.dataSource", "must match dataSourceRef")
