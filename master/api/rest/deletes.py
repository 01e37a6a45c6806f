"""Options of a deletion, from the body (DeleteOptions, meta/v1) or the query."""

from __future__ import annotations

from msgspec import field

from master.api import deletion
from master.api.errors import BadRequest
from master.api.rest.query import Query
from master.objects.meta import Model
from master.objects.scalars import Int64

_PROPAGATIONS = ("Background", "Foreground", "Orphan")


class Preconditions(Model, frozen=True, kw_only=True):
    """The deletion fails with Conflict if the object has another uid or resourceVersion."""

    uid: str = ""
    resource_version: str = ""


class DeleteOptions(Model, frozen=True, kw_only=True):
    """The body of a DELETE request.

    `gracePeriodSeconds`: of pods; default: that of the pod's spec. `propagationPolicy`: Background (default: dependents
    are deleted later), Foreground (dependents are deleted first) or Orphan (dependents stay). `dryRun`: All or nothing.
    """

    grace_period_seconds: Int64 | None = None
    preconditions: Preconditions = field(default_factory=Preconditions)
    orphan_dependents: bool | None = None
    propagation_policy: str = ""
    dry_run: tuple[str, ...] = ()


def options(body: DeleteOptions, query: Query) -> tuple[deletion.DeleteOptions, bool]:
    """The options, and whether it is a dry run. The body has precedence over the query. Raises BadRequest."""
    grace = query.number("gracePeriodSeconds") if body.grace_period_seconds is None else body.grace_period_seconds
    if grace is not None and grace < 0:
        raise BadRequest(f"gracePeriodSeconds: {grace} is not a number of 0 or more")
    orphan = query.flag("orphanDependents") if body.orphan_dependents is None else body.orphan_dependents
    default = "Orphan" if orphan else "Background"
    propagation = body.propagation_policy or query.text("propagationPolicy") or default
    if propagation not in _PROPAGATIONS:
        raise BadRequest(f"propagationPolicy: {propagation!r} is not one of {', '.join(_PROPAGATIONS)}")
    if body.dry_run not in ((), ("All",)):
        raise BadRequest(f"dryRun: {list(body.dry_run)!r} is not supported; supported values: All")
    result = deletion.DeleteOptions(
        grace_period_s=grace,
        uid=body.preconditions.uid,
        resource_version=body.preconditions.resource_version,
        propagation=propagation,
    )
    return result, bool(body.dry_run) or query.dry_run
