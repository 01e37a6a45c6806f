"""The deletion of pods: they get time to end, and are removed when their node has cleaned up."""

from __future__ import annotations

from master.kinds.core.node import NODE
from master.kinds.core.pod.model import Pod
from master.registry.deletion import DeleteOptions, DeletionPolicy, Exists

# Long enough for every use, and short enough for the deadline to be a valid date.
_LONGEST_GRACE_S = (1 << 31) - 1
_DEFAULT_GRACE_S = 30


class PodDeletion(DeletionPolicy[Pod]):
    """A pod on a node is marked with a deadline first, then removed when its node has reported that nothing is left."""

    answers_with_object = True

    def grace_s(self, obj: Pod, options: DeleteOptions, exists: Exists) -> int:
        """The grace period in seconds. A second deletion can shorten it with a period of its own, never lengthen it."""
        if not obj.spec.node_name or not exists(NODE, "", obj.spec.node_name):
            return 0
        grace = options.grace_period_s
        current = obj.metadata.deletion_grace_period_seconds or 0
        if obj.metadata.deletion_timestamp and grace is None:
            return current
        if grace is None:
            grace = obj.spec.termination_grace_period_seconds
        grace = _DEFAULT_GRACE_S if grace is None else min(max(grace, 0), _LONGEST_GRACE_S)
        if obj.metadata.deletion_timestamp:
            return min(grace, current)
        # A grace period of 0 in the spec is not a forced deletion: the node still has to clean up.
        return max(grace, 1) if options.grace_period_s is None else grace

    def holds(self, obj: Pod) -> bool:
        return bool(obj.metadata.deletion_grace_period_seconds)
