"""Watches: the changes of a resource as a stream of lines.

A watch starts with all objects (version 0 or none), or after a version that is still in the history. For an older
version, or when the client falls behind, it ends with an ERROR event with Status 410. Events are encoded once for all
watchers that get whole objects, and go to the connections while the cache publishes them (sink.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from master.api.errors import ApiError, Expired, Timeout
from master.api.rest import answers, partial
from master.api.rest.answers import Representation
from master.api.rest.routes import Route
from master.api.rest.selectors import Selection, candidates
from master.api.rest.sink import Sink
from master.api.rest.tables import Tabulator
from master.cache import Batch, Cache, Change, Entry, HistoryGone, Lagged, Subscription
from master.cache.entry import ADDED, DELETED, MODIFIED, watch_frame
from master.clock import Clock
from master.schema.cause import Cause

# A watcher that is this many changes behind has to start over.
_QUEUE = 2000
# Most bytes that are joined for one write. There may be many watchers that read slowly, so this limits memory.
_WRITE_BYTES = 256 << 10
# Frames that are made before the other clients get their turn, which takes a few milliseconds.
_FRAMES_PER_TURN = 200
_BOOKMARK_EVERY_S = 60.0
# As Kubernetes: a client that sets no limit is disconnected after 30 to 60 minutes.
_MIN_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """A client's options. `since`: start after this version; None: start with all objects. `timeout_s` 0: default."""

    selection: Selection
    since: int | None
    initial_events: bool = False
    bookmarks: bool = False
    timeout_s: float = 0.0


class Watch:
    """One watch, from its first line to its last."""

    def __init__(
        self,
        cache: Cache,
        clock: Clock,
        route: Route,
        options: WatchOptions,
        tabulator: Tabulator | None,
        representation: Representation,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._route = route
        self._options = options
        self._tabulator = tabulator
        self._representation = representation
        self._columns_sent = False
        # Whether every watcher of the resource gets the same bytes for a change.
        self._shares = tabulator is None and not representation.metadata and route.stored

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Streams until the client disconnects, the time is over, or the client has to start over."""
        options = self._options
        response = answers.streamed(request)
        sink = Sink(request.transport, self._frame, chunked=response.chunked)
        try:
            subscription, past = self._cache.watch(self._route.resource, options.since, _QUEUE, sink=sink)
        except HistoryGone as gone:
            await response.prepare(request)
            await response.write(self._error(expired(options.since or 0, gone.oldest)))
            return response
        with subscription:
            # No await between subscribing and reading the entries, so that both have the same revision.
            entries = self._candidates() if options.since is None else []
            revision = subscription.revision
            await response.prepare(request)
            await self._write(response, self._initial(entries) if options.since is None else map(self._frame, past))
            if options.initial_events:
                await response.write(self._bookmark(revision, initial=True))
            await self._follow(subscription, response, sink)
        return response

    def _candidates(self) -> list[Entry]:
        """The objects among which are all that match."""
        return candidates(self._cache, self._route.resource, self._options.selection)[0]

    def _initial(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        return (self._line(ADDED, entry) if self._matches(entry) else b"" for entry in entries)

    async def _write(self, response: web.StreamResponse, frames: Iterable[bytes]) -> None:
        """Joins frames and writes them. Each write waits until the client has read most of the previous one."""
        lines: list[bytes] = []
        size = 0
        for number, frame in enumerate(frames, 1):
            if number % _FRAMES_PER_TURN == 0:
                # Objects that do not match take time as well, and there may be many before the first write.
                await asyncio.sleep(0)
            lines.append(frame)
            size += len(frame)
            if size >= _WRITE_BYTES:
                await response.write(b"".join(lines))
                lines, size = [], 0
        if size:
            await response.write(b"".join(lines))

    async def _follow(self, subscription: Subscription, response: web.StreamResponse, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        timeout = self._options.timeout_s or _MIN_TIMEOUT_S * (1 + random.random())
        end = loop.time() + timeout
        bookmark = loop.time() + _BOOKMARK_EVERY_S
        try:
            while (now := loop.time()) < end:
                # While nothing is queued, the sink writes by itself, and this task sleeps.
                sink.open = subscription.idle
                batch = await self._next(subscription, min(end, bookmark) - now)
                sink.open = False
                if batch is not None:
                    await self._write(response, self._drain(subscription, batch))
                if loop.time() >= bookmark:
                    bookmark = loop.time() + _BOOKMARK_EVERY_S
                    if self._options.bookmarks:
                        await response.write(self._bookmark(self._revision(subscription)))
            if self._options.bookmarks and subscription.idle:
                await response.write(self._bookmark(self._revision(subscription)))
        except Lagged:
            await response.write(self._error(expired(subscription.revision, self._cache.revision)))
        finally:
            sink.open = False

    async def _next(self, subscription: Subscription, seconds: float) -> Batch | None:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                return await subscription.next()
        except TimeoutError:
            return None

    def _drain(self, subscription: Subscription, batch: Batch | None) -> Iterator[bytes]:
        """The frames of this batch and of all queued ones."""
        while batch is not None:
            yield from map(self._frame, batch.changes)
            batch = subscription.take()

    def _revision(self, subscription: Subscription) -> int:
        return self._cache.revision if subscription.idle else subscription.revision

    def _matches(self, entry: Entry | None) -> bool:
        return entry is not None and self._options.selection.matches(entry)

    def _frame(self, change: Change) -> bytes:
        """The change as this watcher sees it: entering its selection is ADDED, leaving it DELETED."""
        selection = self._options.selection
        if selection.namespace and change.entry.namespace != selection.namespace:
            return b""
        type_ = change.type
        if not selection.everything:
            before = self._matches(change.before)
            after = type_ != DELETED and self._matches(change.entry)
            if not before and not after:
                return b""
            type_ = (MODIFIED if before else ADDED) if after else DELETED
        return change.frame(type_) if self._shares else self._line(type_, change.shown(type_))

    def _line(self, type_: str, entry: Entry) -> bytes:
        """The event of this type with this object."""
        if self._tabulator is None:
            return watch_frame(type_, answers.form(entry, self._route, self._representation))
        columns = not self._columns_sent
        self._columns_sent = True
        return watch_frame(
            type_, self._tabulator.encode([entry], entry.revision, self._clock.now(), columns=columns).rstrip()
        )

    def _bookmark(self, revision: int, *, initial: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = {"kind": self._route.resource.kind, "apiVersion": self._route.answered_version, "metadata": metadata}
        if self._representation.metadata:
            obj |= {"kind": partial.KIND, "apiVersion": self._representation.metadata}
        if self._tabulator is not None:
            obj = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "rows": []}
        return watch_frame("BOOKMARK", msgspec.json.encode(obj))

    def _error(self, error: ApiError) -> bytes:
        return watch_frame("ERROR", msgspec.json.encode(error.status()))


def expired(since: int, oldest: int) -> Expired:
    """The error for a version that is older than the history."""
    return Expired(f"too old resource version: {since} ({oldest})")


def too_large_version(requested: int, current: int) -> Timeout:
    """The error for a version that does not exist yet. It may be of another cluster, or of commits that were lost."""
    return Timeout(
        f"Too large resource version: {requested}, current: {current}",
        causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
        retry_after_s=1,
    )
