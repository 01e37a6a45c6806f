"""What a controller has just done and its view may not show yet, so that it never does it twice.

The view is the process' one cache, a straight line of revisions: it shows a created object as soon as it has reached
the object's revision. No timeout is needed, as nothing that was committed can fail to arrive.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from master.api import kinds
from master.api.kinds.pod import Pod
from master.cache import Cache

K = TypeVar("K", bound=Hashable)


class Expectations(Generic[K]):
    """Pods made and deleted, by the key that they were made for."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._created: dict[K, int] = {}
        self._deleted: dict[K, dict[str, tuple[str, str]]] = {}

    def created(self, key: K, pod: Pod) -> None:
        """A pod was made: the view must reach its revision."""
        self._created[key] = max(self._created.get(key, 0), int(pod.metadata.resource_version or 0))

    def deleted(self, key: K, pod: Pod) -> None:
        """A pod was deleted: the view must show it Terminating or gone."""
        self._deleted.setdefault(key, {})[pod.metadata.uid] = (pod.metadata.namespace, pod.metadata.name)

    def met(self, key: K) -> bool:
        """Whether the view shows everything; the pods' own changes ask again when it does not."""
        if self._created.get(key, 0) > self._cache.revision:
            return False
        self._created.pop(key, None)
        waiting = self._deleted.get(key, {})
        for uid, (namespace, name) in list(waiting.items()):
            pod = self._cache.get(kinds.POD, namespace, name)
            if pod is None or pod.metadata.uid != uid or pod.metadata.deletion_timestamp:
                del waiting[uid]
        if waiting:
            return False
        self._deleted.pop(key, None)
        return True

    def forget(self, key: K) -> None:
        """The controller is gone."""
        self._created.pop(key, None)
        self._deleted.pop(key, None)
