"""Admission: rules of the cluster for writes, beyond those of a single object (namespaces, quotas, webhooks).

The plugins are in master/admission. The pipeline calls them in the order in which it got them.
"""

from __future__ import annotations

from master.api.pipeline.attempt import Attempt


class Admission:
    """The base of all plugins. A plugin overrides one or both methods. They may await, and raise ApiError to refuse."""

    async def mutate(self, attempt: Attempt) -> None:
        """Refuses or changes `attempt.new`, which has its defaults. Not called for removals."""

    async def validate(self, attempt: Attempt) -> None:
        """Refuses a valid object, or adds comparisons and writes to the commit. Also called for removals."""
