"""The service account controller: each namespace has the account `default`, which comes back if it is deleted."""

from __future__ import annotations

from typing import Final

from master import kinds
from master.api.identity import component
from master.api.resources import Resources
from master.clock import Clock
from master.controllers.pernamespace import run_per_namespace
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
        cache = self._resources.cache
        await run_per_namespace(cache, self._queue, kinds.SERVICEACCOUNT, NAME, ensure=self._ensure)

    async def _ensure(self, namespace: str) -> None:
        if self._resources.cache.entry(kinds.SERVICEACCOUNT, namespace, NAME) is None:
            account = ServiceAccount(metadata=ObjectMeta(name=NAME))
            await self._resources.create(self._caller, kinds.SERVICEACCOUNT, account, namespace=namespace)
