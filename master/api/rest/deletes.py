"""Options of a deletion, from the body (DeleteOptions, meta/v1) or the query."""

from __future__ import annotations

from typing import ClassVar, cast, get_args

from msgspec import field

from master.api.errors import BadRequest
from master.api.rest.query import Query
from master.objects.meta import Model
from master.objects.scalars import Int64
from master.registry import deletion
from master.schema.schema import Typed


class Preconditions(Model, frozen=True, kw_only=True):
    """The deletion fails with Conflict if the object has another uid or resourceVersion."""

    uid: str = ""
    resource_version: str = ""


class DeleteOptions(Model, frozen=True, kw_only=True):
    """The body of a DELETE request.

    `gracePeriodSeconds`: of pods; default: that of the pod's spec. `propagationPolicy`: Background (dependents are
    deleted later), Foreground (dependents are deleted first) or Orphan (dependents stay); default: that of the kind.
    `dryRun`: All or nothing.
    """

    TYPE: ClassVar[str] = "meta.v1.DeleteOptions"

    grace_period_seconds: Int64 | None = None
    preconditions: Preconditions = field(default_factory=Preconditions)
    orphan_dependents: bool | None = None
    propagation_policy: str = ""
    dry_run: tuple[str, ...] = ()


SCHEMA = Typed(DeleteOptions)


def options(body: DeleteOptions, query: Query) -> tuple[deletion.DeleteOptions, bool]:
    """The options, and whether it is a dry run. The body has precedence over the query. Raises BadRequest."""
    grace = query.number("gracePeriodSeconds") if body.grace_period_seconds is None else body.grace_period_seconds
    if grace is not None and grace < 0:
        raise BadRequest(f"gracePeriodSeconds: {grace} is not a number of 0 or more")
    propagation = _propagation(body, query)
    if body.dry_run not in ((), ("All",)):
        raise BadRequest(f"dryRun: {list(body.dry_run)!r} is not supported; supported values: All")
    result = deletion.DeleteOptions(
        grace_period_s=grace,
        uid=body.preconditions.uid,
        resource_version=body.preconditions.resource_version,
        propagation=propagation,
    )
    return result, bool(body.dry_run) or query.dry_run


def _propagation(body: DeleteOptions, query: Query) -> deletion.Propagation | None:
    """The requested treatment of dependents; None for the default of the resource. Raises BadRequest."""
    orphan = query.optional_flag("orphanDependents") if body.orphan_dependents is None else body.orphan_dependents
    policy = body.propagation_policy or query.text("propagationPolicy")
    if policy and orphan is not None:
        raise BadRequest("orphanDependents and propagationPolicy cannot be both set")
    if orphan is not None:
        return "Orphan" if orphan else "Background"
    if not policy:
        return None
    for known in get_args(deletion.Propagation):
        if policy == known:
            return cast(deletion.Propagation, known)
    raise BadRequest(f"propagationPolicy: {policy!r} is not one of {', '.join(get_args(deletion.Propagation))}")
