"""Reports that wait for the master: the latest status of each pod, and events; both bounded.

Owns the two queues. Implements the pods' Reporter. `report` never blocks. The session takes batches and puts back what
was not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from agent import model, statuses
from agent.wire import observed as convert
from proto.gen import observed_pb2

MAX_PODS: Final = 4096
MAX_EVENTS: Final = 1000
BATCH: Final = 200
"""Most statuses or events in one message."""
BATCH_BYTES: Final = 1 << 20
"""Most bytes of a batch, far below the limit of a message (contract.MAX_MESSAGE_BYTES)."""

log = logging.getLogger(__name__)

M = TypeVar("M", observed_pb2.PodStatus, observed_pb2.Event)
Lookup = Callable[[model.PodUid], model.ObjectRef | None]


class ReportQueue:
    """Statuses by uid, and events in order. `lookup` gives the name of a desired pod."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._pods: dict[str, observed_pb2.PodStatus] = {}
        self._events: deque[observed_pb2.Event] = deque()
        self._dropped_events = 0
        self._on_the_way = 0
        self.pods_waiting = asyncio.Event()
        self.events_waiting = asyncio.Event()

    def report(self, status: statuses.PodStatus) -> None:
        """A pod's complete present status."""
        self._put(convert.status_to_proto(status))

    def removed(self, uid: model.PodUid) -> None:
        """Nothing of the pod is left on the node. Ignored for a pod that the master does not know here."""
        waiting = self._pods.get(uid)
        ref = model.ObjectRef(waiting.namespace, waiting.name) if waiting else self._lookup(uid)
        if ref is not None:
            self._put(convert.removal_to_proto(uid, ref))

    def event(self, event: statuses.Event) -> None:
        """Queue an event; the oldest is dropped when there are too many."""
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            if not self._dropped_events:
                log.warning("more than %d events wait for the master: dropping the oldest", MAX_EVENTS)
            self._dropped_events += 1
        self._events.append(convert.event_to_proto(event))
        self.events_waiting.set()

    @property
    def idle(self) -> bool:
        """Whether the master has everything."""
        return not (self._pods or self._events or self._on_the_way)

    def acknowledged(self) -> None:
        """The master has a batch that was taken."""
        self._on_the_way -= 1

    def take_pods(self) -> list[observed_pb2.PodStatus]:
        """A batch, in the order of their first change."""
        batch = _fitting(self._pods.values())
        for status in batch:
            del self._pods[status.uid]
        self._on_the_way += bool(batch)
        if not self._pods:
            self.pods_waiting.clear()
        return batch

    def put_back_pods(self, statuses: Iterable[observed_pb2.PodStatus]) -> None:
        """Put back what was not acknowledged, except statuses with a newer one in the queue."""
        self._on_the_way -= 1
        unsent = {status.uid: status for status in statuses}
        self._pods = unsent | self._pods
        if self._pods:
            self.pods_waiting.set()

    def take_events(self) -> list[observed_pb2.Event]:
        """A batch, oldest first."""
        batch = _fitting(self._events)
        for _ in batch:
            self._events.popleft()
        self._on_the_way += bool(batch)
        self._dropped_events = 0
        if not self._events:
            self.events_waiting.clear()
        return batch

    def put_back_events(self, events: Iterable[observed_pb2.Event]) -> None:
        """Put back what was not acknowledged."""
        self._on_the_way -= 1
        self._events.extendleft(reversed(list(events)))
        while len(self._events) > MAX_EVENTS:
            self._events.popleft()
        if self._events:
            self.events_waiting.set()

    def _put(self, status: observed_pb2.PodStatus) -> None:
        if status.uid not in self._pods and len(self._pods) >= MAX_PODS:
            oldest = next(iter(self._pods))
            del self._pods[oldest]
            log.warning(
                "more than %d statuses wait for the master: pod %s is reported with the next session", MAX_PODS, oldest
            )
        self._pods[status.uid] = status
        self.pods_waiting.set()


def _fitting(waiting: Iterable[M]) -> list[M]:
    """The first messages that fit into one batch; at least one."""
    batch: list[M] = []
    size = 0
    for message in waiting:
        size += message.ByteSize()
        if batch and (size > BATCH_BYTES or len(batch) >= BATCH):
            break
        batch.append(message)
    return batch
