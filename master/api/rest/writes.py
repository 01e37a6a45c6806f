"""The writing verbs: create, update, patch, delete and deletecollection. Each becomes calls of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from master.api.errors import Invalid, NotFound
from master.api.pipeline.attempt import Outcome
from master.api.pipeline.pipeline import Pipeline
from master.api.pipeline.request import Permit
from master.api.rest import answers, bodies, deletes, options, patching, protobufs, versions
from master.api.rest.applies import Applies
from master.api.rest.bodies import APPLY, Document
from master.api.rest.call import Call
from master.api.rest.lists import stream
from master.api.rest.patching import Patch
from master.api.rest.reads import Reads
from master.cache import Cache, Entry
from master.registry.deletion import DeleteOptions
from master.registry.subresource import Part
from master.schema.checks import Findings
from master.schema.protobuf.frame import MEDIA_TYPE
from master.schema.schema import Schema


class Writes:
    """Answers writing requests."""

    def __init__(self, pipeline: Pipeline, cache: Cache, reader: bodies.Reader, reads: Reads) -> None:
        self._pipeline = pipeline
        self._cache = cache
        self._reader = reader
        self._reads = reads
        self.applies = Applies(pipeline, reader)

    async def document(self, call: Call, schema: Schema[Any]) -> Document:
        """The body of the request, an object of a schema. Raises ApiError."""
        return await self._decoded(call, await self._reader.read(call.http), schema)

    async def _decoded(self, call: Call, body: bytes, schema: Schema[Any]) -> Document:
        media = bodies.media_type(call.http)
        if media == MEDIA_TYPE:
            return await protobufs.decode(body, schema)
        return await bodies.decode(body, media)

    async def create(self, call: Call) -> web.Response:
        # Before the body is read, so that a caller without the permission need not send it.
        permit = await self._pipeline.authorize(call.change("create", dry_run=call.query.dry_run))
        options.check(call.query, "create")
        answers.negotiate(call.accept)
        document = await self.document(call, call.route.version.schema)
        obj = versions.read(call, document)
        outcome = await self._pipeline.create(permit, obj)
        return self._answer(call, outcome, 201)

    async def update(self, call: Call) -> web.Response:
        permit = await self._pipeline.authorize(call.change("update", dry_run=call.query.dry_run))
        options.check(call.query, "update")
        answers.negotiate(call.accept)
        document = await self.document(call, call.route.version.schema)
        old = self._cache.entry(call.route.resource, call.route.namespace, call.route.name)
        obj = versions.read(call, document, None if old is None else old.obj)
        expect = call.identify(obj)
        if old is not None and not expect and call.route.resource.needs_version:
            findings = Findings()
            findings.invalid("metadata.resourceVersion", expect, "must be specified for an update")
            raise Invalid.of(call.route.resource, call.route.name, findings.causes)
        return await self._change(call, permit, lambda _: obj, expect=expect)

    async def patch(self, call: Call) -> web.Response:
        if bodies.media_type(call.http) == APPLY:
            outcome, created = await self.applies.apply(call)
            return self._answer(call, outcome, 201 if created else 200)
        permit = await self._pipeline.authorize(call.change("patch", dry_run=call.query.dry_run))
        options.check(call.query, "patch")
        answers.negotiate(call.accept)
        route = call.route
        patch = await self.patch_body(call, route.resource.schema if route.stored else route.version.schema)

        def patched(entry: Entry) -> Any:
            call.warnings.clear()
            value = patch.apply(answers.body(entry, route))
            with patching.reading(patch, value, call):
                obj = versions.of_value(call, patch.document, value, entry.obj)
            patching.check_version(route.resource, entry, call.identify(obj))
            return obj

        return await self._change(call, permit, patched)

    async def patch_body(self, call: Call, schema: Schema[Any]) -> Patch:
        """The body of a PATCH for objects of a schema. Raises UnsupportedMediaType, BadRequest."""
        format = patching.format_of(bodies.media_type(call.http), schema)
        document = await bodies.decode(await self._reader.read(call.http), "application/json")
        format.check(document.value)
        return Patch(format, document, schema)

    async def _change(
        self, call: Call, permit: Permit, change: Callable[[Entry], Any], *, expect: str = ""
    ) -> web.Response:
        part = call.route.subresource
        assert part is None or isinstance(part, Part)
        outcome = await self._pipeline.change(permit, change, expect=expect, part=part)
        assert outcome is not None
        return self._answer(call, outcome)

    def _answer(self, call: Call, outcome: Outcome, status: int = 200) -> web.Response:
        call.warnings.extend(outcome.warnings)
        return self._reads.answer(call, outcome.entry, status)

    async def _delete_options(self, call: Call) -> tuple[DeleteOptions, bool]:
        """The options of a deletion, and whether it is a dry run."""
        body = await self._reader.read(call.http)
        if not body.strip():
            return deletes.options(deletes.DeleteOptions(), call.query)
        document = await self._decoded(call, body, deletes.SCHEMA)
        return deletes.options(bodies.typed(document.value, deletes.SCHEMA, "Ignore", [], document), call.query)

    async def delete(self, call: Call) -> web.Response:
        permit = await self._pipeline.authorize(call.change("delete"))
        options, dry_run = await self._delete_options(call)
        if dry_run:
            permit = permit.dry()
        outcome = await self._pipeline.delete(permit, options)
        resource = call.route.resource
        if outcome.removed and not resource.deletion.answers_with_object:
            entry = outcome.entry
            return answers.json(answers.success(resource, entry.name, entry.obj.metadata.uid))
        return self._answer(call, outcome)

    async def delete_collection(self, call: Call) -> web.StreamResponse:
        permit = await self._pipeline.authorize(call.change("deletecollection"))
        options, dry_run = await self._delete_options(call)
        if dry_run:
            permit = permit.dry()
        deleted: list[Entry] = []
        for entry in await self._reads.selected(call):
            try:
                outcome = await self._pipeline.delete(permit.of(entry.namespace, entry.name), options)
                deleted.append(outcome.entry)
            except NotFound:
                # Another writer has removed it meanwhile.
                continue
        return await stream(call, deleted, self._cache.revision)
