"""The disruption controller: the status of each PodDisruptionBudget, which says how many pods may be evicted now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from master import kinds
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change, Entry
from master.clock import Clock
from master.component.podstate import PodState, is_ready, state_changed, state_of
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workqueue import WorkQueue
from master.kinds.workload.rolling import scaled
from master.objects.labelselector import matches
from master.objects.meta import LabelSelector, Object, OwnerReference, timestamp
from master.registry.subresource import View
from master.registry.untyped import with_status
from master.schema.data import Untyped


@dataclass(frozen=True, slots=True)
class Count:
    """Pods of a budget: how many there should be, how many are healthy, and how many must stay healthy."""

    expected: int
    healthy: int
    desired: int

    @property
    def allowed(self) -> int:
        """How many pods may be evicted."""
        return max(self.healthy - self.desired, 0) if self.expected else 0


def count(spec: dict[str, Any], pods: Sequence[PodState], scale: int | None) -> Count | None:
    """`scale`: the number of pods that the controllers of these pods want. None if it is needed and unknown."""
    healthy = sum(1 for pod in pods if is_ready(pod) and not pod.metadata.deletion_timestamp)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is None and not isinstance(least, str):
        return Count(len(pods), healthy, least or 0)
    if scale is None:
        return None
    if most is None:
        return Count(scale, healthy, scaled(least, scale, round_up=True))
    return Count(scale, healthy, max(scale - scaled(most, scale, round_up=True), 0))


class DisruptionController:
    """Keeps the statuses of all budgets up to date."""

    name = "disruption"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._clock = clock
        self._caller = component("controller:disruption-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        own = kinds.PODDISRUPTIONBUDGET
        await run_keyed(
            self._cache,
            self._queue,
            watched=(own, kinds.POD),
            keys=self._keys,
            sync=self._sync,
            first=(own,),
            matters=self._matters,
        )

    def _matters(self, change: Change) -> bool:
        if change.kind is not kinds.POD:
            return True
        return bool(self._cache.entries(kinds.PODDISRUPTIONBUDGET, change.entry.namespace)) and state_changed(change)

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        if entry.kind is not kinds.POD:
            return [entry.key]
        budgets = self._cache.entries(kinds.PODDISRUPTIONBUDGET, entry.namespace)
        return [each.key for each in budgets if _selects(each.obj, entry)]

    async def _sync(self, key: ObjectKey) -> None:
        budget = self._cache.get(kinds.PODDISRUPTIONBUDGET, *key)
        if budget is None or budget.metadata.deletion_timestamp:
            return
        pods = [state_of(entry) for entry in self._cache.entries(kinds.POD, key[0]) if _selects(budget, entry)]
        desired = self._status(budget, count(budget.spec, pods, self._scale(key[0], pods)))
        if desired != budget.status:
            changed = with_status(budget, desired)
            await self._resources.update(self._caller, kinds.PODDISRUPTIONBUDGET, changed, subresource="status")

    def _scale(self, namespace: str, pods: Iterable[PodState]) -> int | None:
        """The number of pods that the controllers of the pods want; None if one of them has no scale.

        Pods without a controller do not count, as in Kubernetes.
        """
        owners = {owner.uid: owner for pod in pods if (owner := _controller(pod.metadata.owner_references))}
        wanted: dict[str, int] = {}
        for owner in owners.values():
            found = self._scaled(namespace, owner)
            if found is None:
                return None
            above = _controller(found[0].metadata.owner_references)
            # A deployment wants a number of pods, which its replica sets only share.
            obj, replicas = (self._scaled(namespace, above) if above is not None else None) or found
            wanted[obj.metadata.uid] = replicas
        return sum(wanted.values())

    def _scaled(self, namespace: str, owner: OwnerReference) -> tuple[Object, int] | None:
        """The owner and the number of pods that it wants; None if it is gone or has no scale."""
        resource = self._resources.registry.of_kind(owner.api_version, owner.kind)
        view = resource.subresource("scale") if resource is not None else None
        if resource is None or not isinstance(view, View):
            return None
        obj = self._cache.get(resource, namespace, owner.name)
        return (obj, view.read(obj).spec.replicas) if obj is not None and obj.metadata.uid == owner.uid else None

    def _status(self, budget: Untyped, counted: Count | None) -> dict[str, Any]:
        old = budget.status or {}
        allowed = counted.allowed if counted is not None else 0
        reason = "SyncFailed" if counted is None else "SufficientPods" if allowed else "InsufficientPods"
        numbers = {"disruptionsAllowed": allowed, "observedGeneration": budget.metadata.generation}
        if counted is not None:
            numbers["currentHealthy"], numbers["desiredHealthy"] = counted.healthy, counted.desired
            numbers["expectedPods"] = counted.expected
        conditions = [self._condition(budget, reason, old.get("conditions", ()))]
        return {**old, **numbers, "conditions": conditions}

    def _condition(self, budget: Untyped, reason: str, old: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """The condition that says whether a pod may be evicted, with the time since when it is so."""
        state = "True" if reason == "SufficientPods" else "False"
        before = next((each for each in old if each["type"] == "DisruptionAllowed"), {})
        same = before.get("status") == state
        return {
            "type": "DisruptionAllowed",
            "status": state,
            "observedGeneration": budget.metadata.generation,
            "lastTransitionTime": before["lastTransitionTime"] if same else timestamp(self._clock.now()),
            "reason": reason,
            "message": "",
        }


def _selector(budget: Untyped) -> LabelSelector | None:
    """The budget's selector; None if it is missing."""
    selector = budget.spec.get("selector")
    return None if selector is None else msgspec.convert(selector, LabelSelector)


def _selects(budget: Untyped, entry: Entry) -> bool:
    """Whether a pod counts for the budget. An empty selector selects all pods, a missing one none."""
    selector = _selector(budget)
    return selector is not None and matches(selector, entry.meta.labels)


def _controller(owners: Iterable[OwnerReference]) -> OwnerReference | None:
    return next((owner for owner in owners if owner.controller), None)
