"""Events go after an hour, and before that when there are too many: what grows is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from master.api import kinds
from master.api.errors import ApiError, Conflict, NotFound
from master.api.identity import component
from master.api.kinds.event import Event
from master.api.kinds.meta import parse_time
from master.api.resources import Resources
from master.clock import Clock

log = logging.getLogger(__name__)

# Kubernetes' --event-ttl.
LIFE = timedelta(hours=1)
MOST_EVENTS = 5000
PERIOD_S = 30.0
DELETES_AT_ONCE = 16


def last_time(event: Event) -> datetime | None:
    """When it happened last; None when the event does not say so in any readable way."""
    series = event.series.last_observed_time if event.series else None
    for text in (series, event.last_timestamp, event.event_time, event.metadata.creation_timestamp):
        if text:
            with contextlib.suppress(ValueError):
                return parse_time(text)
    return None


def expired(events: Iterable[Event], now: datetime, *, most: int = MOST_EVENTS) -> list[Event]:
    """The events that go: those of more than an hour ago, then the oldest ones beyond the bound."""
    oldest = now - LIFE
    times = [(last_time(event) or oldest, event.metadata.namespace, event.metadata.name, event) for event in events]
    times.sort(key=lambda entry: entry[:3])
    old = sum(1 for when, *_ in times if when <= oldest)
    return [event for *_, event in times[: max(old, len(times) - most)]]


class EventExpiry:
    """Deletes old events."""

    name = "event expiry"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock
        self._caller = component("controller:event-expiry")
        self._slots = asyncio.Semaphore(DELETES_AT_ONCE)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_S)
            await self._delete_all(expired(self._resources.cache.list(kinds.EVENT), self._clock.now()))

    async def _delete_all(self, events: Sequence[Event]) -> None:
        async with asyncio.TaskGroup() as group:
            for event in events:
                group.create_task(self._delete(event), name=f"event {event.metadata.name}")

    async def _delete(self, event: Event) -> None:
        meta = event.metadata
        async with self._slots:
            try:
                await self._resources.delete(self._caller, kinds.EVENT, meta.namespace, meta.name, uid=meta.uid)
            except (NotFound, Conflict):
                return
            except ApiError as error:
                log.warning("event %s/%s: not expired: %s", meta.namespace, meta.name, error)
