"""Pods that wait for a node: those to be tried now, and those that fitted nowhere and wait for a change.

Owns the order (first come, first served), back-off and when a pod is tried again. Bounded by the number of pods.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from master.api.kinds.pod import Pod
from master.clock import Clock

# Kubernetes' podInitialBackoffSeconds and podMaxBackoffSeconds.
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 10.0
# A pod is tried again after this long whatever happens, in case the change that helps it went unnoticed.
FLUSH_S = 60.0


@dataclass(slots=True)
class _Parked:
    pod: Pod
    # Not before: the back-off.
    ready_at: float
    # Without any change: the flush.
    due_at: float


class SchedulingQueue:
    """Keyed by uid; a pod is in one place only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: dict[str, Pod] = {}
        self._parked: dict[str, _Parked] = {}
        self._attempts: dict[str, int] = {}
        self._wake = asyncio.Event()

    def add(self, pod: Pod) -> None:
        """A pod to be tried now."""
        self._parked.pop(pod.metadata.uid, None)
        self._active[pod.metadata.uid] = pod
        self._wake.set()

    def refresh(self, pod: Pod) -> None:
        """The pod changed in something that does not matter: remember its latest form where it waits."""
        uid = pod.metadata.uid
        if uid in self._active:
            self._active[uid] = pod
        elif uid in self._parked:
            self._parked[uid].pod = pod

    def drop(self, uid: str) -> None:
        """The pod is bound, gone or none of ours."""
        self._active.pop(uid, None)
        self._parked.pop(uid, None)
        self._attempts.pop(uid, None)

    async def pop(self) -> Pod:
        """The next pod to try; waits for one."""
        while not self._active:
            self._wake.clear()
            await self._wake.wait()
        return self._active.pop(next(iter(self._active)))

    def park(self, pod: Pod, *, retry_alone: bool = False) -> None:
        """Put aside until something changes, or with `retry_alone` until its back-off is over."""
        uid, now = pod.metadata.uid, self._clock.monotonic()
        attempts = self._attempts[uid] = self._attempts.get(uid, 0) + 1
        ready_at = now + min(FIRST_BACKOFF_S * 2 ** min(attempts - 1, 10), LONGEST_BACKOFF_S)
        self._active.pop(uid, None)
        self._parked[uid] = _Parked(pod, ready_at, ready_at if retry_alone else now + FLUSH_S)

    def node_changed(self) -> None:
        """A node came or got more room: all are tried at once, as this is rare and people are waiting for it."""
        for parked in list(self._parked.values()):
            self.add(parked.pod)

    def room_freed(self) -> None:
        """A pod went: all are tried, but not before their back-off is over; pods come and go all the time."""
        for parked in self._parked.values():
            parked.due_at = min(parked.due_at, parked.ready_at)
        self.promote()

    def promote(self) -> None:
        """Moves those whose time has come."""
        now = self._clock.monotonic()
        for parked in [parked for parked in self._parked.values() if parked.due_at <= now]:
            self.add(parked.pod)

    @property
    def parked(self) -> int:
        """How many are waiting for a change."""
        return len(self._parked)

    def clear(self) -> None:
        """Forgets all but the attempts: a new snapshot follows."""
        self._active.clear()
        self._parked.clear()
