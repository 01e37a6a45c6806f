"""Events: what happened to an object, told by anybody in the master and, through dispatch, by the agents.

Owns aggregation (the same event again raises its count) and the bounded queue between those who tell and the API.
`record` never waits and never fails. Does not expire events: that is eventexpiry.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from master.api import kinds
from master.api.errors import ApiError, NotFound
from master.api.identity import component as identity
from master.api.kinds.event import Event, EventSource
from master.api.resources import Resources
from master.clock import Clock
from master.objects.kind import KindSpec
from master.objects.meta import Object, ObjectMeta, ObjectReference, timestamp
from master.store.errors import StoreError

log = logging.getLogger(__name__)

CALLER = identity("controller:events")
# Different events that wait to be written; what comes beyond is dropped and counted in the log.
QUEUE_LIMIT = 5000
# Events whose names are remembered, so that the next one of the same kind raises their count.
REMEMBERED = 4096
# Writes at once: they share the store's commits.
WRITERS = 8
# As Kubernetes stores them: a longer message is cut.
MESSAGE_LIMIT = 1024
# What of the object's name goes into the event's, so that it stays a valid one.
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
    def of(cls, kind: KindSpec[Any], obj: Object, field_path: str = "") -> Involved:
        """The reference to an object."""
        meta = obj.metadata
        return cls(kind.kind, meta.namespace, meta.name, meta.uid, field_path, kind.api_version)


@dataclass(frozen=True, slots=True)
class _Same:
    """What makes two events one with a count."""

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
    """Takes events and writes them in the background. `run` until cancelled."""

    name = "event recorder"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock
        self._pending: dict[_Same, _Pending] = {}
        # The stored event of each: namespace and name; least recently used first.
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
        """Tells of one event: `component` as "kubelet" or "default-scheduler", `type` Normal or Warning."""
        if involved.kind == "Node":
            # kubectl describe looks for a node's events by its name in place of its uid, and kubelet writes it so.
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
        """Writes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._write_all(), name=f"events: writer {number}")

    async def _write_all(self) -> None:
        while True:
            same = next((one for one in self._pending if one not in self._writing), None)
            if same is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._writing.add(same)
            try:
                await self._write(same, self._pending.pop(same))
            except (ApiError, StoreError) as error:
                # Nobody is told of an event that cannot be stored: that is what the log is for.
                log.info("event %s %s/%s: %s", same.reason, same.involved.namespace, same.involved.name, error)
            except Exception:
                log.exception("event %s %s/%s", same.reason, same.involved.namespace, same.involved.name)
            finally:
                self._writing.discard(same)
                self._wake.set()
            if self._dropped:
                log.warning("%d events dropped: more at once than are taken on", self._dropped)
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
                # It has expired: the count begins anew.
                del self._stored[same]
        created = await self._resources.create(CALLER, kinds.EVENT, self._new(same, pending), namespace=namespace)
        self._stored[same] = created.metadata.name
        while len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)

    def _new(self, same: _Same, pending: _Pending) -> Event:
        involved = same.involved
        namespace = involved.namespace or "default"
        return Event(
            # Kubernetes' form: the object's name and the time, unique enough; the API refuses a double.
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
        """Never the same twice in this process, and later than any of an earlier one."""
        self._last_suffix = max(int(pending.first.timestamp() * 1e9), self._last_suffix + 1)
        return f"{self._last_suffix:x}"


def raised(event: Event, count: int, last: datetime) -> Event:
    """The event after it happened that many times more."""
    return msgspec.structs.replace(event, count=event.count + count, last_timestamp=timestamp(last))
