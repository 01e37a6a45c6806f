"""The reading verbs: get, list and watch. They read the cache only."""

from __future__ import annotations

from aiohttp import web

from master.api.errors import NotFound
from master.api.pipeline.authorization import Authorizer
from master.api.rest import answers
from master.api.rest.call import Call
from master.api.rest.compression import compressed, is_worthwhile
from master.api.rest.lists import Lists
from master.api.rest.selectors import Selection, parse_fields, parse_labels
from master.api.rest.tables import Tabulator
from master.api.rest.watches import Watch, WatchOptions, too_large_version
from master.cache import Cache, Entry, Page
from master.clock import Clock


class Reads:
    """Answers reading requests."""

    def __init__(self, authorizer: Authorizer, cache: Cache, clock: Clock) -> None:
        self._authorizer = authorizer
        self._cache = cache
        self._clock = clock
        self._lists = Lists(cache, clock)

    def entry(self, call: Call) -> Entry:
        """The object of the path. Raises NotFound."""
        route = call.route
        entry = self._cache.entry(route.resource, route.namespace, route.name)
        if entry is None:
            raise NotFound.of(route.resource, route.name)
        return entry

    def answer(self, call: Call, entry: Entry, status: int = 200) -> web.Response:
        """The response with one object, in the representation that the client accepts."""
        representation = answers.negotiate(call.accept)
        if not representation.table:
            return answers.raw(answers.form(entry, call.route, representation), status, call.warnings)
        table = self._tabulator(call, representation.table).encode([entry], entry.revision, self._clock.now())
        return answers.raw(table, status, call.warnings)

    async def answer_all(self, call: Call, entries: list[Entry], selection: Selection) -> web.StreamResponse:
        """The response with these objects, which are not from the cache."""
        return await self._lists.respond(call, Page(entries, 0, 0), selection)

    async def get(self, call: Call) -> web.Response:
        await self._authorizer.authorize(call.caller, call.attributes("get"))
        response = self.answer(call, self.entry(call))
        # Asked here, because most objects are not even worth the coroutine.
        return await compressed(call.http, response) if is_worthwhile(call.http, response) else response

    def _tabulator(self, call: Call, version: str) -> Tabulator:
        return Tabulator(call.route, version, call.query.text("includeObject"))

    def selection(self, call: Call) -> Selection:
        """The selection of a collection. Raises BadRequest."""
        labels, fields = call.query.text("labelSelector"), call.query.text("fieldSelector")
        if not labels and not fields:
            return Selection(call.route.namespace)
        return Selection(
            call.route.namespace,
            parse_labels(labels) if labels else (),
            parse_fields(call.route.resource, fields, call.route.version.fields) if fields else (),
            (labels, fields),
        )

    async def selected(self, call: Call) -> list[Entry]:
        """The objects of a collection that match the selectors. Raises BadRequest."""
        return await self._lists.selected(call, self.selection(call))

    async def list(self, call: Call) -> web.StreamResponse:
        await self._authorizer.authorize(call.caller, call.attributes("list"))
        return await self._lists.answer(call, self.selection(call))

    async def watch(self, call: Call) -> web.StreamResponse:
        await self._authorizer.authorize(call.caller, call.attributes("watch"))
        representation = answers.negotiate(call.accept)
        since, initial = call.query.number("resourceVersion"), call.query.optional_flag("sendInitialEvents")
        if since and since > self._cache.revision:
            raise too_large_version(since, self._cache.revision)
        if initial is None:
            initial = not since
        options = WatchOptions(
            selection=self.selection(call),
            since=None if initial else since or self._cache.revision,
            initial_events=call.query.flag("sendInitialEvents"),
            bookmarks=call.query.flag("allowWatchBookmarks"),
            timeout_s=float(call.query.number("timeoutSeconds") or 0),
        )
        tabulator = self._tabulator(call, representation.table) if representation.table else None
        watch = Watch(self._cache, self._clock, call.route, options, tabulator, representation)
        return await watch.serve(call.http)
