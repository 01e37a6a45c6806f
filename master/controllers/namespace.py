"""The namespace controller: deletes the objects of a namespace that is being deleted, then removes its finalizer.

Owns the finalizer "kubernetes" of namespaces. The API refuses new objects in such a namespace, so this work ends. A
kind that is served again later may bring back objects of a namespace that is gone; they are deleted too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from master import kinds
from master.api.errors import ApiError, Conflict, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry
from master.clock import Clock
from master.controllers.keyed import for_each, run_keyed
from master.controllers.namespacecontents import with_conditions
from master.controllers.workqueue import WorkQueue
from master.kinds.core.namespace import Namespace
from master.objects.meta import timestamp
from master.registry.resource import Resource

log = logging.getLogger(__name__)

FINALIZER = "kubernetes"
# Objects may go late (pods have a grace period, others finalizers): the first and the longest wait between checks.
FIRST_CHECK_S = 0.1
LONGEST_CHECK_S = 2.0
# Concurrent deletions.
DELETES_AT_ONCE = 16

# Pods go before all else, so that none of them runs on without its network policy or its secrets, as in Kubernetes.
_FIRST = (kinds.POD,)
# Events go last: they explain what happens to the rest.
_LAST = (kinds.EVENT,)


def deletion_order(all_kinds: Iterable[Resource[Any]]) -> tuple[tuple[Resource[Any], ...], ...]:
    """The namespaced kinds in groups. Those of a group are deleted when the groups before it are gone."""
    rest = tuple(kind for kind in all_kinds if kind.namespaced and kind not in _FIRST and kind not in _LAST)
    return _FIRST, rest, _LAST


def without_finalizer(namespace: Namespace) -> Namespace | None:
    """The namespace without our finalizer; None when it has none."""
    left = tuple(name for name in namespace.spec.finalizers if name != FINALIZER)
    if left == namespace.spec.finalizers:
        return None
    return msgspec.structs.replace(namespace, spec=msgspec.structs.replace(namespace.spec, finalizers=left))


class NamespaceController:
    """Deletes the objects of namespaces that are being deleted."""

    name = "namespace"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._clock = clock
        self._caller = component("controller:namespace-controller")
        self._queue: WorkQueue[str] = WorkQueue(self.name, clock)
        self._checks: dict[str, int] = {}
        self._slots = asyncio.Semaphore(DELETES_AT_ONCE)
        resources.registry.listen(self._kind_changed)

    async def run(self) -> None:
        """Runs until cancelled."""
        watched = (kinds.NAMESPACE,)
        await run_keyed(self._cache, self._queue, watched=watched, keys=self._keys, sync=self._sync, workers=2)

    def _keys(self, entry: Entry) -> Iterable[str]:
        return [entry.name] if entry.meta.deletion_timestamp else []

    def _kind_changed(self, kind: Resource[Any], present: bool) -> None:
        """Checks the namespaces of the objects that a kind brings."""
        if present and kind.namespaced:
            for namespace in {entry.namespace for entry in self._cache.entries(kind)}:
                if self._is_going(namespace):
                    self._queue.add(namespace)

    def _is_going(self, name: str) -> bool:
        """Whether the namespace is being deleted, or does not exist."""
        entry = self._cache.entry(kinds.NAMESPACE, "", name)
        return entry is None or bool(entry.meta.deletion_timestamp)

    async def _sync(self, name: str) -> None:
        namespace = self._cache.get(kinds.NAMESPACE, "", name)
        failures: list[str] = []
        for group in deletion_order(self._cache.kinds):
            for kind in group:
                # Meanwhile the kind may be gone, and the namespace may have been made again.
                if kind in self._cache and self._is_going(name):
                    failures += await self._clear(kind, name)
            if any(kind in self._cache and self._cache.count(kind, name) for kind in group):
                break
        if not self._is_going(name):
            self._checks.pop(name, None)
            return
        remaining = [
            entry
            for group in deletion_order(self._cache.kinds)
            for kind in group
            for entry in self._cache.entries(kind, name)
        ]
        if namespace is not None:
            await self._report(namespace, remaining, failures)
        if remaining:
            checks = self._checks[name] = self._checks.get(name, 0) + 1
            self._queue.add_after(name, min(FIRST_CHECK_S * 2 ** min(checks - 1, 10), LONGEST_CHECK_S))
            return
        self._checks.pop(name, None)
        if namespace is not None:
            await self._release(namespace)

    async def _report(self, namespace: Namespace, remaining: list[Entry], failures: list[str]) -> None:
        """Says in the namespace's status what remains. A namespace that is empty at once needs no status."""
        if not remaining and not namespace.status.conditions:
            return
        now = timestamp(self._clock.now())

        def change(current: Namespace) -> Namespace | None:
            same = current.metadata.uid == namespace.metadata.uid
            return with_conditions(current, remaining, failures, now) if same else None

        with contextlib.suppress(NotFound):
            await self._resources.mutate(
                self._caller, kinds.NAMESPACE, "", namespace.metadata.name, change, subresource="status"
            )

    async def _release(self, namespace: Namespace) -> None:
        """Removes our finalizer."""
        name = namespace.metadata.name

        def change(current: Namespace) -> Namespace | None:
            same = current.metadata.uid == namespace.metadata.uid
            return without_finalizer(current) if same else None

        try:
            await self._resources.mutate(self._caller, kinds.NAMESPACE, "", name, change, subresource="finalize")
        except NotFound:
            return
        log.info("namespace %s: emptied and deleted", name)

    async def _clear(self, kind: Resource[Any], namespace: str) -> list[str]:
        """Deletes the objects of a kind. Returns a sentence for each that could not be deleted."""
        entries = self._cache.entries(kind, namespace)
        failures: list[str] = []

        async def delete(entry: Entry) -> None:
            if failure := await self._delete(entry):
                failures.append(failure)

        await for_each(entries, delete, at_once=min(DELETES_AT_ONCE, len(entries)))
        return failures

    async def _delete(self, entry: Entry) -> str:
        """Deletes an object. Returns why that failed; empty if it did not."""
        meta = entry.meta
        if meta.deletion_timestamp:
            await asyncio.sleep(0)
            return ""
        async with self._slots:
            try:
                await self._resources.delete(self._caller, entry.kind, entry.namespace, entry.name, uid=meta.uid)
            except (NotFound, Conflict):
                return ""
            except ApiError as error:
                # The next check tries again.
                log.warning("%s: not deleted with its namespace: %s", entry.where, error)
                return f"{entry.where}: {error}"
        return ""
