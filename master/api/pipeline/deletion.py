"""Deletion of an object: whether it is removed at once or only marked. Pure decisions, no I/O.

An object with finalizers stays until they are removed; the deletion policy of its resource may hold it as well. Source
of the rules: the Kubernetes API reference, "Garbage Collection" and "Finalizers".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from master.objects.meta import Object, parse_time, timestamp
from master.registry.deletion import DeleteOptions, DeletionPolicy, Exists

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"


def marked(
    policy: DeletionPolicy[Any], obj: Any, options: DeleteOptions, now: datetime, *, exists: Exists
) -> Any | None:
    """The object marked as being deleted, or None if it can be removed at once."""
    metadata = obj.metadata
    finalizers = _finalizers(policy, metadata.finalizers, options)
    grace = policy.grace_s(obj, options, exists)
    if not finalizers and grace == 0 and not policy.waits(obj):
        return None
    begins = not metadata.deletion_timestamp
    current = metadata.deletion_grace_period_seconds or 0
    if begins or grace < current:
        # A shorter period counts from the first request as well: from now on it could end later than the longer one.
        begin = now if begins else parse_time(metadata.deletion_timestamp) - timedelta(seconds=current)
        # Kubernetes counts the request to delete as a change of the desired state.
        generation = metadata.generation + 1 if begins and metadata.generation else metadata.generation
        metadata = replace(
            metadata,
            generation=generation,
            deletion_timestamp=timestamp(begin + timedelta(seconds=grace)),
            deletion_grace_period_seconds=grace,
        )
    obj = replace(obj, metadata=replace(metadata, finalizers=finalizers))
    return policy.mark(obj)


def _finalizers(policy: DeletionPolicy[Any], current: tuple[str, ...], options: DeleteOptions) -> tuple[str, ...]:
    """The finalizers for the requested treatment of dependents. Without a request, those that are there stay."""
    kept = tuple(name for name in current if name not in (ORPHAN, FOREGROUND))
    if not policy.has_dependents:
        return kept
    propagation = options.propagation
    if propagation is None:
        if len(kept) < len(current):
            return current
        propagation = policy.default_propagation
    if propagation == "Orphan":
        return (*kept, ORPHAN)
    return (*kept, FOREGROUND) if propagation == "Foreground" else kept


def released(policy: DeletionPolicy[Any], obj: Object) -> bool:
    """Whether an object that is being deleted can be removed now, after an update."""
    metadata = obj.metadata
    return bool(metadata.deletion_timestamp) and not metadata.finalizers and not policy.holds(obj)
