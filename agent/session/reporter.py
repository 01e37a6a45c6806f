"""What the node has to tell, until the master has it: bounded, and only the latest of each pod.

Owns the two queues. Implements the pods' Reporter. `report` never blocks; the session takes batches and gives back
what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from agent import model, statuses
from agent.wire import observed as wire
from proto.gen import observed_pb2

MAX_PODS: Final = 4096
MAX_EVENTS: Final = 1000
BATCH: Final = 200
"""Statuses or events of one message."""
BATCH_BYTES: Final = 1 << 20
"""What they may take together, far below what one message may (contract.MAX_MESSAGE_BYTES)."""

log = logging.getLogger(__name__)

M = TypeVar("M", observed_pb2.PodStatus, observed_pb2.Event)
Lookup = Callable[[model.PodUid], model.ObjectRef | None]


class ReportQueue:
    """Statuses by uid, and events in order."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._pods: dict[str, observed_pb2.PodStatus] = {}
        self._events: deque[observed_pb2.Event] = deque()
        self._dropped_events = 0
        self.pods_waiting = asyncio.Event()
        self.events_waiting = asyncio.Event()

    def report(self, status: statuses.PodStatus) -> None:
        """A pod's complete present status."""
        self._put(wire.status_to_proto(status))

    def removed(self, uid: model.PodUid) -> None:
        """Nothing of the pod is left on the node. A pod that the master does not want here needs no word."""
        waiting = self._pods.get(uid)
        ref = model.ObjectRef(waiting.namespace, waiting.name) if waiting else self._lookup(uid)
        if ref is not None:
            self._put(wire.removal_to_proto(uid, ref))

    def event(self, event: statuses.Event) -> None:
        """Something that happened."""
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            if not self._dropped_events:
                log.warning("more than %d events wait for the master: the oldest are dropped", MAX_EVENTS)
            self._dropped_events += 1
        self._events.append(wire.event_to_proto(event))
        self.events_waiting.set()

    def take_pods(self) -> list[observed_pb2.PodStatus]:
        """A batch, in the order of their first change."""
        batch = _fitting(self._pods.values())
        for status in batch:
            del self._pods[status.uid]
        if not self._pods:
            self.pods_waiting.clear()
        return batch

    def give_back_pods(self, statuses: Iterable[observed_pb2.PodStatus]) -> None:
        """Not acknowledged: they wait on, but for those of which there is newer word."""
        again = {status.uid: status for status in statuses}
        self._pods = again | self._pods
        if self._pods:
            self.pods_waiting.set()

    def take_events(self) -> list[observed_pb2.Event]:
        """A batch, oldest first."""
        batch = _fitting(self._events)
        for _ in batch:
            self._events.popleft()
        self._dropped_events = 0
        if not self._events:
            self.events_waiting.clear()
        return batch

    def give_back_events(self, events: Iterable[observed_pb2.Event]) -> None:
        """Not acknowledged."""
        self._events.extendleft(reversed(list(events)))
        while len(self._events) > MAX_EVENTS:
            self._events.popleft()
        if self._events:
            self.events_waiting.set()

    def _put(self, status: observed_pb2.PodStatus) -> None:
        if status.uid not in self._pods and len(self._pods) >= MAX_PODS:
            oldest = next(iter(self._pods))
            del self._pods[oldest]
            log.warning("more than %d statuses wait for the master: pod %s waits for the re-report", MAX_PODS, oldest)
        self._pods[status.uid] = status
        self.pods_waiting.set()


def _fitting(waiting: Iterable[M]) -> list[M]:
    """The first ones that fit into one message; at least one."""
    batch: list[M] = []
    size = 0
    for each in waiting:
        size += each.ByteSize()
        if batch and (size > BATCH_BYTES or len(batch) >= BATCH):
            break
        batch.append(each)
    return batch
