"""What a controller has just done and the cache may not show yet, so that the controller never does it twice.

The cache applies commits in order: it shows a created object once it has reached the object's revision. No timeout is
needed, because every commit reaches the cache.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from master import kinds
from master.cache import Cache
from master.component.podstate import AnyPod
from master.kinds.core.pod.model import Pod

K = TypeVar("K", bound=Hashable)


class Expectations(Generic[K]):
    """Created and deleted pods, by the key of their controller."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._created: dict[K, int] = {}
        self._deleted: dict[K, dict[str, tuple[str, str]]] = {}

    def created(self, key: K, pod: Pod) -> None:
        """A pod was created: the cache must reach its revision."""
        self._created[key] = max(self._created.get(key, 0), int(pod.metadata.resource_version or 0))

    def deleted(self, key: K, pod: AnyPod) -> None:
        """A pod was deleted: the cache must show it Terminating or gone."""
        self._deleted.setdefault(key, {})[pod.metadata.uid] = (pod.metadata.namespace, pod.metadata.name)

    def met(self, key: K) -> bool:
        """Whether the cache shows everything. When it does not, the pods' own changes queue the key again."""
        if self._created.get(key, 0) > self._cache.revision:
            return False
        self._created.pop(key, None)
        waiting = self._deleted.get(key, {})
        for uid, (namespace, name) in list(waiting.items()):
            entry = self._cache.entry(kinds.POD, namespace, name)
            meta = None if entry is None else entry.meta
            if meta is None or meta.uid != uid or meta.deletion_timestamp:
                del waiting[uid]
        if waiting:
            return False
        self._deleted.pop(key, None)
        return True

    def forget(self, key: K) -> None:
        """Forget a controller that is gone."""
        self._created.pop(key, None)
        self._deleted.pop(key, None)
