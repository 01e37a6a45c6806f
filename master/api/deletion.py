"""Deletion of an object: whether it is removed at once or only marked. Pure decisions, no I/O.

Pods are deleted in two phases: first marked with a deadline, then removed when their node has reported that nothing is
left. Any object with finalizers stays until they are removed; a namespace also has spec.finalizers until it is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec.structs import replace

from master.kinds import EVENT, NAMESPACE, POD
from master.kinds.core.pod.model import Pod
from master.objects.meta import Object, timestamp
from master.registry.resource import Resource

# Long enough for every use, and short enough for the deadline to be a valid date.
_LONGEST_GRACE_S = (1 << 31) - 1
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
Propagation = Literal["", "Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Options of a deletion. `uid` and `resource_version` are preconditions, unless empty.

    `grace_period_s`: of pods; None: that of the spec.
    """

    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = "Background"


def marked(kind: Resource[Any], obj: Any, options: DeleteOptions, now: datetime, *, node_exists: bool) -> Any | None:
    """The object marked as being deleted, or None if it can be removed at once."""
    grace = pod_grace(obj, options, node_exists=node_exists) if kind is POD else 0
    # Events own nothing, and there are many of them, so the garbage collector ignores them.
    propagation = "Background" if kind is EVENT else options.propagation
    finalizers = _finalizers(obj.metadata.finalizers, propagation)
    if not finalizers and grace == 0 and not (kind is NAMESPACE and obj.spec.finalizers):
        return None
    metadata = replace(obj.metadata, finalizers=finalizers)
    if not obj.metadata.deletion_timestamp or grace < (obj.metadata.deletion_grace_period_seconds or 0):
        metadata = replace(
            metadata,
            deletion_timestamp=timestamp(now + timedelta(seconds=grace)),
            deletion_grace_period_seconds=grace,
        )
    obj = replace(obj, metadata=metadata)
    if kind is NAMESPACE:
        obj = replace(obj, status=replace(obj.status, phase="Terminating"))
    return obj


def pod_grace(pod: Pod, options: DeleteOptions, *, node_exists: bool) -> int:
    """The grace period in seconds; 0: the pod is removed at once. A second deletion can shorten, never lengthen it."""
    if not pod.spec.node_name or not node_exists:
        return 0
    grace = options.grace_period_s
    if grace is None:
        grace = pod.spec.termination_grace_period_seconds
    grace = 30 if grace is None else min(max(grace, 0), _LONGEST_GRACE_S)
    if pod.metadata.deletion_timestamp:
        grace = min(grace, pod.metadata.deletion_grace_period_seconds or 0)
    # A grace period of 0 in the spec is not a forced deletion: the node still has to clean up.
    return max(grace, 1) if options.grace_period_s is None and not pod.metadata.deletion_timestamp else grace


def _finalizers(current: tuple[str, ...], propagation: str) -> tuple[str, ...]:
    kept = tuple(name for name in current if name not in (ORPHAN, FOREGROUND))
    if propagation == "Orphan":
        return (*kept, ORPHAN)
    if propagation == "Foreground":
        return (*kept, FOREGROUND)
    return kept


def released(kind: Resource[Any], obj: Object) -> bool:
    """Whether an object that is being deleted can be removed now, after an update."""
    metadata = obj.metadata
    if not metadata.deletion_timestamp or metadata.finalizers:
        return False
    if kind is NAMESPACE:
        return not obj.spec.finalizers  # type: ignore[attr-defined]
    # A pod with a grace period waits for its node.
    return kind is not POD or not metadata.deletion_grace_period_seconds
