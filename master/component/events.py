"""The event recorder: writes what happened to objects, as components and (through dispatch) agents report it.

Owns aggregation (a repeated event raises a count) and the bounded queue between the reporters and the API. `record`
never waits and never fails. Does not delete old events: controllers/eventexpiry.py does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from master import kinds
from master.api.errors import ApiError, NotFound
from master.api.identity import component as identity
from master.api.resources import Resources
from master.clock import Clock
from master.kinds.core.event import Event
from master.kinds.events.event import EventSource
from master.objects.meta import Object, ObjectMeta, ObjectReference, timestamp
from master.registry.resource import Resource
from master.store.errors import StoreError

log = logging.getLogger(__name__)

CALLER = identity("controller:events")
# Distinct events that may wait to be written. Further ones are dropped, and the log says how many.
QUEUE_LIMIT = 5000
# Events whose names are remembered, so that a repetition raises the count of the stored event.
REMEMBERED = 4096
# Concurrent writes: they share the store's commits.
WRITERS = 8
# Kubernetes' limit in characters; a longer message is truncated.
MESSAGE_LIMIT = 1024
# Characters of the object's name that go into the event's name, so that the event's name stays valid.
NAME_LIMIT = 230


@dataclass(frozen=True, slots=True)
class Involved:
    """The object that an event is about."""

    kind: str
    namespace: str
    name: str
    uid: str = ""
    field_path: str = ""
    api_version: str = "v1"

    @classmethod
    def of(cls, kind: Resource[Any], obj: Object, field_path: str = "") -> Involved:
        """The reference to an object of this kind."""
        meta = obj.metadata
        return cls(kind.kind, meta.namespace, meta.name, meta.uid, field_path, kind.api_version)


@dataclass(frozen=True, slots=True)
class _Same:
    """Events that are equal in all of this are one stored event with a count."""

    source: EventSource
    involved: Involved
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class _Pending:
    count: int
    first: datetime
    last: datetime


class EventRecorder:
    """Accepts events and writes them in the background."""

    name = "event recorder"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock
        self._pending: dict[_Same, _Pending] = {}
        # The name of the stored event; least recently used first.
        self._stored: OrderedDict[_Same, str] = OrderedDict()
        self._writing: set[_Same] = set()
        self._dropped = 0
        self._last_suffix = 0
        self._wake = asyncio.Event()

    def record(
        self,
        component: str,
        *,
        involved: Involved,
        type: str,
        reason: str,
        message: str,
        host: str = "",
        when: datetime | None = None,
    ) -> None:
        """Queues an event. `component` is the reporter, as in "kubelet"; `type` is Normal or Warning.

        `host`: the reporter's node. `when`: the time of the event; by default now.
        """
        if involved.kind == "Node":
            # kubectl describe looks up a node's events by its name in place of its uid, and kubelet writes them so.
            involved = Involved("Node", "", involved.name, involved.name, involved.field_path)
        same = _Same(EventSource(component=component, host=host), involved, type, reason, message[:MESSAGE_LIMIT])
        when = when or self._clock.now()
        waiting = self._pending.get(same)
        if waiting is not None:
            waiting.count += 1
            waiting.last = max(waiting.last, when)
        elif len(self._pending) >= QUEUE_LIMIT:
            self._dropped += 1
        else:
            self._pending[same] = _Pending(1, when, when)
            self._wake.set()

    async def run(self) -> None:
        """Writes queued events until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._write_all(), name=f"events: writer {number}")

    async def _write_all(self) -> None:
        while True:
            same = next((pending for pending in self._pending if pending not in self._writing), None)
            if same is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._writing.add(same)
            try:
                await self._write(same, self._pending.pop(same))
            except (ApiError, StoreError) as error:
                # An event is how errors are reported; when the event itself cannot be stored, only the log is left.
                log.info("event %s %s/%s: %s", same.reason, same.involved.namespace, same.involved.name, error)
            except Exception:
                log.exception("event %s %s/%s", same.reason, same.involved.namespace, same.involved.name)
            finally:
                self._writing.discard(same)
                self._wake.set()
            if self._dropped:
                log.warning("%d events dropped: the queue was full", self._dropped)
                self._dropped = 0

    async def _write(self, same: _Same, pending: _Pending) -> None:
        namespace = same.involved.namespace or "default"
        stored = self._stored.get(same)
        if stored is not None:
            self._stored.move_to_end(same)
            try:
                await self._resources.mutate(
                    CALLER, kinds.EVENT, namespace, stored, lambda event: raised(event, pending.count, pending.last)
                )
                return
            except NotFound:
                # The stored event has expired: count from the beginning.
                del self._stored[same]
        created = await self._resources.create(CALLER, kinds.EVENT, self._new(same, pending), namespace=namespace)
        self._stored[same] = created.metadata.name
        while len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)

    def _new(self, same: _Same, pending: _Pending) -> Event:
        involved = same.involved
        namespace = involved.namespace or "default"
        return Event(
            # Kubernetes' form: the object's name and the time. The API would refuse a duplicate name.
            metadata=ObjectMeta(name=f"{involved.name[:NAME_LIMIT]}.{self._suffix(pending)}", namespace=namespace),
            involved_object=ObjectReference(
                api_version=involved.api_version,
                kind=involved.kind,
                namespace=involved.namespace,
                name=involved.name,
                uid=involved.uid,
                field_path=involved.field_path,
            ),
            reason=same.reason,
            message=same.message,
            source=same.source,
            first_timestamp=timestamp(pending.first),
            last_timestamp=timestamp(pending.last),
            count=pending.count,
            type=same.type,
            reporting_component=same.source.component,
            reporting_instance=same.source.host,
        )

    def _suffix(self, pending: _Pending) -> str:
        """The time in nanoseconds, increased where needed so that this process never uses a value twice."""
        self._last_suffix = max(int(pending.first.timestamp() * 1e9), self._last_suffix + 1)
        return f"{self._last_suffix:x}"


def raised(event: Event, count: int, last: datetime) -> Event:
    """The event after `count` more occurrences, the last one at `last`."""
    return msgspec.structs.replace(event, count=event.count + count, last_timestamp=timestamp(last))
