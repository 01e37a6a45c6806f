"""The reading verbs of computed resources: get and list. Their objects have no resourceVersion and are in one page."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from master.api.errors import NotFound
from master.api.resources import Resources
from master.api.rest.call import Call
from master.api.rest.compression import compressed
from master.api.rest.reads import Reads
from master.cache import Entry
from master.objects.meta import Object
from master.registry.computed import Computed
from master.registry.resource import Resource


class ComputedReads:
    """Answers reading requests for computed resources."""

    def __init__(self, resources: Resources, reads: Reads) -> None:
        self._resources = resources
        self._reads = reads

    async def handle(self, call: Call, computed: Computed) -> web.StreamResponse:
        """The response with one object, or with all that the selectors select. Raises ApiError."""
        return await (self._get if call.route.name else self._list)(call, computed)

    async def _get(self, call: Call, computed: Computed) -> web.StreamResponse:
        await self._resources.pipeline.authorize(call.request("get"))
        route = call.route
        obj = await computed.one(self._resources, route.namespace, route.name)
        if obj is None:
            raise NotFound.of(route.resource, route.name)
        return await compressed(call.http, self._reads.answer(call, _entry(route.resource, obj)))

    async def _list(self, call: Call, computed: Computed) -> web.StreamResponse:
        await self._resources.pipeline.authorize(call.request("list"))
        selection = self._reads.selection(call)
        made = await computed.all(self._resources, call.route.namespace)
        entries = [_entry(call.route.resource, obj) for obj in made]
        selected = sorted(filter(selection.matches, entries), key=lambda entry: entry.key)
        return await self._reads.answer_all(call, selected, selection)


def _entry(resource: Resource[Any], obj: Object) -> Entry:
    return Entry(resource, obj.metadata.namespace, obj.metadata.name, (resource.schema.encode(obj),), 0)
