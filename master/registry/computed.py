"""Computed resources: their objects are made when a client reads them, and never stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Computed(Protocol):
    """Makes the objects of a resource. `resources` is a `master.api.resources.Resources`.

    The API server asks after it has authorized the request, and applies the selectors to the result.
    """

    async def all(self, resources: Any, namespace: str) -> Sequence[Any]:
        """All objects of a namespace; of all namespaces, or of a cluster-scoped resource, if `namespace` is empty."""
        ...

    async def one(self, resources: Any, namespace: str, name: str) -> Any:
        """The object of this name, or None. Raises ApiError, such as a NotFound that says more than the name."""
        ...
