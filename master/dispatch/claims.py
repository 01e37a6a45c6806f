"""Volumes of pods that are claims: the claims, the volumes, and the pods on nodes that use them.

Owns which pods have to be sent again after a change of a claim or a volume. Knows no nodes and no sessions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from master.component.boundclaims import Claimed, claim_name, claimed
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.volume import Volume
from master.schema.data import Untyped

_CLAIM: Final = "PersistentVolumeClaim"
_VOLUME: Final = "PersistentVolume"
K = TypeVar("K")


class Claims:
    """Implements Storage of master/component/boundclaims.py."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], Untyped] = {}
        self._volumes: dict[str, Untyped] = {}
        self._pods: dict[tuple[str, str], dict[str, Pod]] = {}
        """The pods that use a claim, by uid."""

    def claim(self, namespace: str, name: str) -> Untyped | None:
        return self._claims.get((namespace, name))

    def volume(self, name: str) -> Untyped | None:
        return self._volumes.get(name)

    def of(self, pod: Pod, volume: Volume) -> Claimed:
        """What is behind a volume of a pod that uses a claim."""
        return claimed(pod, volume, self)

    def use(self, pod: Pod) -> None:
        """Notes a pod that is on a node."""
        for key in _keys(pod):
            self._pods.setdefault(key, {})[pod.metadata.uid] = pod

    def leave(self, pod: Pod) -> None:
        """Forgets a pod."""
        for key in _keys(pod):
            users = self._pods.get(key, {})
            users.pop(pod.metadata.uid, None)
            if not users:
                self._pods.pop(key, None)

    def put(self, obj: Untyped, *, removed: bool = False) -> list[Pod]:
        """Takes a claim or a volume. Returns the pods that use it."""
        meta = obj.metadata
        if obj.kind == _VOLUME:
            _set(self._volumes, meta.name, None if removed else obj)
            keys = [key for key in self._pods if key in self._claims and _bound(self._claims[key]) == meta.name]
        elif obj.kind == _CLAIM:
            keys = [(meta.namespace, meta.name)]
            _set(self._claims, keys[0], None if removed else obj)
        else:
            keys = []
        return [pod for key in keys for pod in self._pods.get(key, {}).values()]


def _set(known: dict[K, Untyped], key: K, obj: Untyped | None) -> None:
    if obj is None:
        known.pop(key, None)
    else:
        known[key] = obj


def _bound(claim: Untyped) -> str:
    return str(claim.spec.get("volumeName") or "")


def _keys(pod: Pod) -> Iterable[tuple[str, str]]:
    names = (claim_name(pod, volume) for volume in pod.spec.volumes)
    return [(pod.metadata.namespace, name) for name in names if name]
