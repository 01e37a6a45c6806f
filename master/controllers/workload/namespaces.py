"""Whether objects can be made in a namespace."""

from __future__ import annotations

from master import kinds
from master.cache import Cache


def is_going(cache: Cache, name: str) -> bool:
    """Whether the namespace is being deleted, or gone: the API refuses new objects in it."""
    namespace = cache.entry(kinds.NAMESPACE, "", name)
    return namespace is None or bool(namespace.meta.deletion_timestamp)
