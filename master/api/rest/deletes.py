"""What a client says about a deletion: in the body, as DeleteOptions (meta/v1), or in the query."""

from __future__ import annotations

from msgspec import field

from master.api import deletion
from master.api.errors import BadRequest
from master.api.rest.query import Query
from master.objects.meta import Model
from master.objects.scalars import Int64

_PROPAGATIONS = ("Background", "Foreground", "Orphan")


class Preconditions(Model, frozen=True, kw_only=True):
    """Which object is meant, beyond its name."""

    uid: str = ""
    resource_version: str = ""


class DeleteOptions(Model, frozen=True, kw_only=True):
    """The body of a DELETE."""

    grace_period_seconds: Int64 | None = None
    preconditions: Preconditions = field(default_factory=Preconditions)
    orphan_dependents: bool | None = None
    propagation_policy: str = ""
    dry_run: tuple[str, ...] = ()


def options(said: DeleteOptions, query: Query) -> tuple[deletion.DeleteOptions, bool]:
    """From the body, else from the query; and whether it is a dry run. BadRequest names what cannot be."""
    grace = query.number("gracePeriodSeconds") if said.grace_period_seconds is None else said.grace_period_seconds
    if grace is not None and grace < 0:
        raise BadRequest(f"gracePeriodSeconds: {grace} is not a number of 0 or more")
    orphan = query.flag("orphanDependents") if said.orphan_dependents is None else said.orphan_dependents
    default = "Orphan" if orphan else "Background"
    propagation = said.propagation_policy or query.text("propagationPolicy") or default
    if propagation not in _PROPAGATIONS:
        raise BadRequest(f"propagationPolicy: {propagation!r} is not one of {', '.join(_PROPAGATIONS)}")
    if said.dry_run not in ((), ("All",)):
        raise BadRequest(f"dryRun: {list(said.dry_run)!r} is not supported; supported values: All")
    decided = deletion.DeleteOptions(
        grace_period_s=grace,
        uid=said.preconditions.uid,
        resource_version=said.preconditions.resource_version,
        propagation=propagation,
    )
    return decided, bool(said.dry_run) or query.dry_run
