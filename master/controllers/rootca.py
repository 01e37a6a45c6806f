"""The root CA publisher: each namespace has a config map with the CA's certificate, with which pods verify the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from master import kinds
from master.api.identity import component
from master.api.resources import Resources
from master.clock import Clock
from master.controllers.pernamespace import run_per_namespace
from master.controllers.workqueue import WorkQueue
from master.kinds.core.configmap import ConfigMap
from master.objects.meta import ObjectMeta

NAME: Final = "kube-root-ca.crt"
_KEY: Final = "ca.crt"
_ANNOTATIONS: Final = {
    "kubernetes.io/description": "The certificates with which programs verify the API server of this cluster."
}
# A rotation of the CA is rare and lasts days: its certificates may arrive late.
_PERIOD_S: Final = 60.0


class RootCaPublisher:
    """Creates missing config maps and restores changed ones. `ca_pem` returns the trusted CAs."""

    name = "root CA publisher"

    def __init__(self, resources: Resources, clock: Clock, ca_pem: Callable[[], bytes]) -> None:
        self._resources = resources
        self._ca_pem = ca_pem
        self._clock = clock
        self._caller = component("controller:root-ca-cert-publisher")
        self._queue: WorkQueue[str] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_objects(), name=f"{self.name}: objects")
            group.create_task(self._follow_ca(), name=f"{self.name}: CA")

    async def _follow_objects(self) -> None:
        cache = self._resources.cache
        await run_per_namespace(cache, self._queue, kinds.CONFIGMAP, NAME, ensure=self._ensure)

    async def _follow_ca(self) -> None:
        published = self._ca_pem()
        while True:
            await self._clock.sleep(_PERIOD_S)
            if (current := self._ca_pem()) != published:
                published = current
                for entry in self._resources.cache.entries(kinds.NAMESPACE):
                    self._queue.add(entry.name)

    async def _ensure(self, namespace: str) -> None:
        data = {_KEY: self._ca_pem().decode()}
        if self._resources.cache.entry(kinds.CONFIGMAP, namespace, NAME) is None:
            made = ConfigMap(metadata=ObjectMeta(name=NAME, annotations=_ANNOTATIONS), data=data)
            await self._resources.create(self._caller, kinds.CONFIGMAP, made, namespace=namespace)
        else:
            await self._resources.mutate(
                self._caller, kinds.CONFIGMAP, namespace, NAME, lambda current: _restored(current, data)
            )


def _restored(current: ConfigMap, data: dict[str, str]) -> ConfigMap | None:
    """The config map with the right data; None if it has them."""
    return None if current.data == data and not current.binary_data else replace(current, data=data, binary_data={})
