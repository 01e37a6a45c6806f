"""Releases volumes and claims that are being deleted as soon as they are not in use, and protects those that are not.

A claim is in use while a pod on a node names it, also a finished one, as in Kubernetes: only the removal of the pod
ends the use. A volume is in use while it is Bound.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from master.admission.volumeprotection import PROTECTION
from master.api.errors import NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Cache, Change, Entry
from master.clock import Clock
from master.component.podstate import controller_of, state_of
from master.controllers.keyed import run_keyed
from master.controllers.workqueue import WorkQueue
from master.kinds import PERSISTENTVOLUME, PERSISTENTVOLUMECLAIM, POD
from master.kinds.core.pod.claims import CLAIM, claims_of, own_claims
from master.kinds.core.pod.model import Pod
from master.registry.resource import Resource
from master.schema.data import Untyped

# Kind, namespace and name.
_Key = tuple[Resource[Any], str, str]


class VolumeProtection:
    """Keeps the finalizer of a volume or claim until nothing uses it any more."""

    name = "volume protection"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:volume-protection")
        self._queue: WorkQueue[_Key] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        await run_keyed(
            self._cache,
            self._queue,
            watched=(*PROTECTION, POD),
            keys=_keys,
            sync=self._sync,
            first=tuple(PROTECTION),
            matters=self._matters,
        )

    def _matters(self, change: Change) -> bool:
        """Of pods, only those that go can release a claim."""
        if change.kind is not POD:
            return change.type != "DELETED"
        goes = change.type == "DELETED" or change.entry.meta.deletion_timestamp
        return bool(goes) and self._cache.count(PERSISTENTVOLUMECLAIM, change.entry.namespace) > 0

    async def _sync(self, key: _Key) -> None:
        kind, namespace, name = key
        entry = self._cache.entry(kind, namespace, name)
        if entry is None:
            return
        protected = not entry.meta.deletion_timestamp
        if protected is (PROTECTION[kind] in entry.meta.finalizers):
            return

        def change(current: Untyped) -> Untyped | None:
            return _protected(current, PROTECTION[kind]) if protected else self._released(kind, current)

        with contextlib.suppress(NotFound):
            await self._resources.mutate(self._caller, kind, namespace, name, change)

    def _released(self, kind: Resource[Any], current: Untyped) -> Untyped | None:
        """The object without the finalizer; None if it is in use."""
        meta = current.metadata
        bound = kind is PERSISTENTVOLUME and (current.status or {}).get("phase") == "Bound"
        if not meta.deletion_timestamp or bound or (kind is PERSISTENTVOLUMECLAIM and _in_use(self._cache, current)):
            return None
        finalizers = tuple(name for name in meta.finalizers if name != PROTECTION[kind])
        return replace(current, metadata=replace(meta, finalizers=finalizers))


def _protected(current: Untyped, finalizer: str) -> Untyped | None:
    """The object with the finalizer; None if it has it or is being deleted."""
    meta = current.metadata
    if meta.deletion_timestamp or finalizer in meta.finalizers:
        return None
    return replace(current, metadata=replace(meta, finalizers=(*meta.finalizers, finalizer)))


def _in_use(cache: Cache, claim: Untyped) -> bool:
    """Whether a pod on a node uses the claim. No node starts a pod whose claim is being deleted."""
    meta = claim.metadata
    if any(state_of(entry).spec.node_name for entry in cache.by(POD, CLAIM, meta.name, meta.namespace)):
        return True
    owner = controller_of(meta)
    pod = cache.get(POD, meta.namespace, owner.name) if owner is not None else None
    if pod is None or owner is None or pod.metadata.uid != owner.uid or _is_shut_down(pod):
        return False
    return bool(pod.spec.node_name) and meta.name in own_claims(pod)


def _is_shut_down(pod: Pod) -> bool:
    """Whether the pod only waits for its removal, which may in turn wait for the claim that was made for it."""
    return bool(pod.metadata.deletion_timestamp) and pod.metadata.deletion_grace_period_seconds == 0


def _keys(entry: Entry) -> Iterable[_Key]:
    if entry.kind is POD:
        return [(PERSISTENTVOLUMECLAIM, entry.namespace, name) for name in claims_of(entry.obj)]
    return [(entry.kind, entry.namespace, entry.name)]
