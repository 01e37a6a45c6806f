"""Deletes events after an hour, and the oldest ones earlier when there are too many.

The hour counts from when this master received the event or found it at its start, on the monotonic clock. So neither a
change of the wall clock nor a node with a wrong clock makes events expire early or stay.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from master import kinds
from master.api.errors import ApiError, Conflict, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry, Unreadable
from master.clock import Clock
from master.controllers.keyed import for_each
from master.kinds.core.event import Event
from master.objects.meta import parse_time

log = logging.getLogger(__name__)

# Kubernetes' --event-ttl.
LIFE = timedelta(hours=1)
MAX_EVENTS = 5000
PERIOD_S = 30.0
DELETES_AT_ONCE = 16


def last_time(event: Event) -> datetime | None:
    """When the event happened last; None when none of its times can be read."""
    series = event.series.last_observed_time if event.series else None
    for text in (series, event.last_timestamp, event.event_time, event.metadata.creation_timestamp):
        if text:
            with contextlib.suppress(ValueError):
                return parse_time(text)
    return None


class Ages:
    """The age of events in seconds. At the first look their own times count; an event that appears later has age 0."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[int, float]] | None = None

    def look(self, events: Iterable[Entry], *, now: datetime, monotonic: float) -> list[tuple[float, Entry]]:
        """Each event with its age; an event that was written again has age 0 again."""
        before, self._since = self._since, {}
        aged = []
        for event in events:
            revision, since = (before or {}).get(event.key, (0, 0.0))
            if revision != event.revision:
                since = monotonic - (_age_s(event, now) if before is None else 0.0)
            self._since[event.key] = (event.revision, since)
            aged.append((monotonic - since, event))
        return aged


def _age_s(event: Entry, now: datetime) -> float:
    """The age by the event's own times: never negative, and an hour when it has no time that can be read."""
    try:
        when = last_time(event.read())
    except Unreadable:
        when = None
    return LIFE.total_seconds() if when is None else max(0.0, (now - when).total_seconds())


def expired(aged: Iterable[tuple[float, Entry]], *, most: int = MAX_EVENTS) -> list[Entry]:
    """The events to delete: those older than an hour, and the oldest of the others above `most`."""
    entries = [(-age_s, event.key, event) for age_s, event in aged]
    entries.sort(key=lambda entry: entry[:2])
    old = sum(1 for negative_s, *_ in entries if -negative_s >= LIFE.total_seconds())
    return [event for *_, event in entries[: max(old, len(entries) - most)]]


class EventExpiry:
    """Deletes old events."""

    name = "event expiry"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock
        self._caller = component("controller:event-expiry")
        self._ages = Ages()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            events, clock = self._resources.cache.entries(kinds.EVENT), self._clock
            await self._delete_all(expired(self._ages.look(events, now=clock.now(), monotonic=clock.monotonic())))
            await clock.sleep(PERIOD_S)

    async def _delete_all(self, events: Sequence[Entry]) -> None:
        await for_each(events, self._delete, at_once=min(DELETES_AT_ONCE, len(events)))

    async def _delete(self, event: Entry) -> None:
        try:
            await self._resources.delete(self._caller, kinds.EVENT, event.namespace, event.name, uid=event.meta.uid)
        except (NotFound, Conflict):
            return
        except ApiError as error:
            log.warning("event %s/%s: not expired: %s", event.namespace, event.name, error)
