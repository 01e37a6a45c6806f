"""Pods that wait for a node: active ones to be tried now, and parked ones that fit on no node and wait for a change.

Owns the order (first come, first served), the back-off and when a pod is retried. Bounded by the number of pods.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from master.clock import Clock
from master.kinds.core.pod.model import Pod

# Kubernetes' podInitialBackoffSeconds and podMaxBackoffSeconds.
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 10.0
# A parked pod is retried after this long in any case, should the change that helps it have gone unnoticed.
FLUSH_S = 60.0


class Waiting(NamedTuple):
    """A pod that waits. The pod itself is in the cache: there may be very many."""

    uid: str
    namespace: str
    name: str

    @classmethod
    def of(cls, pod: Pod) -> Waiting:
        return cls(pod.metadata.uid, pod.metadata.namespace, pod.metadata.name)


@dataclass(slots=True)
class _Parked:
    pod: Waiting
    # End of the back-off: not retried earlier.
    ready_at: float
    # Retried at this time without any change.
    due_at: float


class SchedulingQueue:
    """The waiting pods by uid; a pod is either active or parked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: OrderedDict[str, Waiting] = OrderedDict()
        self._parked: dict[str, _Parked] = {}
        self._attempts: dict[str, int] = {}
        self._wake = asyncio.Event()

    def add(self, pod: Pod) -> None:
        """Makes a pod active: it is to be tried now."""
        self._activate(Waiting.of(pod))

    def _activate(self, pod: Waiting) -> None:
        self._parked.pop(pod.uid, None)
        self._active[pod.uid] = pod
        self._wake.set()

    def drop(self, uid: str) -> None:
        """Removes a pod that is bound, gone or not ours to schedule."""
        self._active.pop(uid, None)
        self._parked.pop(uid, None)
        self._attempts.pop(uid, None)

    async def pop(self) -> Waiting:
        """The next pod to try; waits until there is one."""
        while not self._active:
            self._wake.clear()
            await self._wake.wait()
        return self._active.popitem(last=False)[1]

    def park(self, pod: Pod, *, retry_alone: bool = False) -> None:
        """Parks a pod until something changes, or with `retry_alone` only until its back-off is over."""
        uid, now = pod.metadata.uid, self._clock.monotonic()
        attempts = self._attempts[uid] = self._attempts.get(uid, 0) + 1
        ready_at = now + min(FIRST_BACKOFF_S * 2 ** min(attempts - 1, 10), LONGEST_BACKOFF_S)
        self._active.pop(uid, None)
        self._parked[uid] = _Parked(Waiting.of(pod), ready_at, ready_at if retry_alone else now + FLUSH_S)

    def node_changed(self) -> None:
        """A node was added or changed: retry all parked pods at once, because this is rare and people wait for it."""
        for parked in list(self._parked.values()):
            self._activate(parked.pod)

    def room_freed(self) -> None:
        """A pod left its node: retry all parked pods. Their back-off stays, because this happens all the time."""
        for parked in self._parked.values():
            parked.due_at = min(parked.due_at, parked.ready_at)
        self.promote()

    def promote(self) -> None:
        """Activates the parked pods that are due."""
        now = self._clock.monotonic()
        for parked in [parked for parked in self._parked.values() if parked.due_at <= now]:
            self._activate(parked.pod)

    @property
    def parked(self) -> int:
        """The number of parked pods."""
        return len(self._parked)

    def clear(self) -> None:
        """Removes all pods before a new snapshot; the attempts, and so the back-off, stay."""
        self._active.clear()
        self._parked.clear()
