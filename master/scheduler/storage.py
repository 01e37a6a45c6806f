"""The claims of a pod for the scheduler: why it has to wait for them, and on which nodes its volumes are."""

from __future__ import annotations

import msgspec

from master.cache import Cache
from master.component.boundclaims import all_claimed
from master.kinds import PERSISTENTVOLUME, PERSISTENTVOLUMECLAIM
from master.kinds.core.pod.affinity import NodeSelector
from master.kinds.core.pod.model import Pod
from master.schema.data import Untyped

WATCHED = (PERSISTENTVOLUMECLAIM, PERSISTENTVOLUME)


class CachedStorage:
    """Finds claims and volumes in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def claim(self, namespace: str, name: str) -> Untyped | None:
        return self._cache.get(PERSISTENTVOLUMECLAIM, namespace, name)

    def volume(self, name: str) -> Untyped | None:
        return self._cache.get(PERSISTENTVOLUME, "", name)

    def of(self, pod: Pod) -> tuple[str, tuple[NodeSelector, ...]]:
        """Why the pod has to wait (empty: it does not), and what its node must satisfy for each of its volumes."""
        selectors = []
        for claimed in all_claimed(pod, self):
            if claimed.volume is None:
                return claimed.problem, ()
            required = (claimed.volume.spec.get("nodeAffinity") or {}).get("required")
            if required:
                selectors.append(msgspec.convert(required, NodeSelector))
        return "", tuple(selectors)
