"""The service account controller: each namespace has the account `default`, which comes back if it is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

from master import kinds
from master.api.errors import AlreadyExists, Forbidden, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry
from master.clock import Clock
from master.controllers.keyed import run_keyed
from master.controllers.workqueue import WorkQueue
from master.kinds.core.serviceaccount import ServiceAccount
from master.objects.meta import ObjectMeta

NAME: Final = "default"


class AccountsController:
    """Creates missing accounts."""

    name = "service accounts"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._caller = component("controller:service-account-controller")
        self._queue: WorkQueue[str] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        watched = (kinds.NAMESPACE, kinds.SERVICEACCOUNT)
        await run_keyed(
            self._resources.cache,
            self._queue,
            watched=watched,
            keys=_keys,
            sync=self._sync,
            first=(kinds.NAMESPACE,),
            workers=2,
        )

    async def _sync(self, namespace: str) -> None:
        cache = self._resources.cache
        owner = cache.entry(kinds.NAMESPACE, "", namespace)
        if owner is None or owner.meta.deletion_timestamp or cache.entry(kinds.SERVICEACCOUNT, namespace, NAME):
            return
        account = ServiceAccount(metadata=ObjectMeta(name=NAME))
        # Forbidden and NotFound: the deletion of the namespace begins at this moment.
        with contextlib.suppress(AlreadyExists, Forbidden, NotFound):
            await self._resources.create(self._caller, kinds.SERVICEACCOUNT, account, namespace=namespace)


def _keys(entry: Entry) -> Iterable[str]:
    if entry.kind is kinds.NAMESPACE:
        return [entry.name]
    return [entry.namespace] if entry.name == NAME else []
