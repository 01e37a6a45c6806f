"""A claim without a class, which no volume is bound to, gets the class that becomes the default later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from master.admission.defaultclasses import with_storage_class
from master.api.errors import NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change, Entry
from master.clock import Clock
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workqueue import WorkQueue
from master.kinds import PERSISTENTVOLUMECLAIM, STORAGECLASS
from master.kinds.core.claims import has_class
from master.schema.data import Untyped


class ClaimClasses:
    """Sets the storage class of claims that were created when no class was the default."""

    name = "claim classes"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._caller = component("controller:persistentvolume-binder")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        await run_keyed(
            self._resources.cache,
            self._queue,
            watched=(PERSISTENTVOLUMECLAIM, STORAGECLASS),
            keys=self._keys,
            sync=self._sync,
            first=(PERSISTENTVOLUMECLAIM,),
            matters=_matters,
        )

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        """The claims that lack a class. A change of a class, which is rare, concerns all of them."""
        claims = [entry]
        if entry.kind is STORAGECLASS:
            claims = self._resources.cache.entries(PERSISTENTVOLUMECLAIM)
        return [(claim.namespace, claim.name) for claim in claims if _lacks_class(claim.obj)]

    async def _sync(self, key: ObjectKey) -> None:
        with contextlib.suppress(NotFound):
            await self._resources.mutate(self._caller, PERSISTENTVOLUMECLAIM, *key, self._completed)

    def _completed(self, claim: Untyped) -> Untyped | None:
        return with_storage_class(self._resources.cache, claim) if _lacks_class(claim) else None


def _lacks_class(claim: Untyped) -> bool:
    unbound = not claim.spec.get("volumeName") and not claim.metadata.deletion_timestamp
    return unbound and not has_class(claim)


def _matters(change: Change) -> bool:
    return change.type != "DELETED"
