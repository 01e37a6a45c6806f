"""The verbs on resources: each request becomes calls of the pipeline, and their result a response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from master.api.authorize import Attributes, authorize
from master.api.deletion import DeleteOptions
from master.api.errors import BadRequest, MethodNotAllowed, NotFound, UnsupportedMediaType
from master.api.identity import Caller
from master.api.resources import Resources
from master.api.rest import answers, bodies, deletes, subresources
from master.api.rest.mergepatch import merge
from master.api.rest.query import Query
from master.api.rest.routes import Route
from master.api.rest.selectors import Selection, parse_fields, parse_labels
from master.api.rest.watches import Watch, WatchOptions, expired, too_large_version
from master.cache import Entry
from master.clock import Clock
from master.kinds import NAMESPACE, POD, SERVICE
from master.kinds.autoscaling.scale import Binding, Scale
from master.kinds.core.pod.logs import LogSource
from master.objects.meta import Object

_MERGE = "application/merge-patch+json"
_NOT_ALLOWED = "the server does not allow this method on the requested resource"


@dataclass(slots=True)
class Call:
    """One request for a resource."""

    request: web.BaseRequest
    caller: Caller
    route: Route
    query: Query
    warnings: list[str] = field(default_factory=list)
    # Sentences about the duplicate keys of the body.
    duplicates: list[str] = field(default_factory=list)


class Verbs:
    """Handles requests for resources."""

    def __init__(self, resources: Resources, clock: Clock, logs: LogSource, reader: bodies.Reader) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._clock = clock
        self._logs = logs
        self._reader = reader

    async def handle(self, call: Call) -> web.StreamResponse:
        """The response to any method on any resource. Raises ApiError."""
        route, method = call.route, call.request.method
        if route.subresource in ("binding", "log", "scale"):
            return await self._special(call)
        if method in ("GET", "HEAD"):
            if route.name:
                return self._get(call)
            # A response to HEAD has no body, so a watch would be pointless.
            watch = call.query.flag("watch") and method == "GET"
            return await self._watch(call) if watch else self._list(call)
        if not route.name and method in ("POST", "DELETE") and not _is_writable(route, method):
            raise MethodNotAllowed(_NOT_ALLOWED)
        if method == "POST" and not route.name:
            return await self._create(call)
        if method == "PUT" and route.name:
            return await self._update(call)
        if method == "PATCH" and route.name:
            return await self._patch(call)
        if method == "DELETE" and not route.subresource:
            return await (self._delete(call) if route.name else self._delete_collection(call))
        raise MethodNotAllowed(_NOT_ALLOWED)

    # -- reading --------------------------------------------------------------------------------------------------

    def _authorize(self, call: Call, verb: str) -> None:
        route = call.route
        kind = route.kind
        authorize(
            call.caller, Attributes(verb, kind.group, kind.plural, route.subresource, route.namespace, route.name)
        )

    def _entry(self, call: Call) -> Entry:
        entry = self._cache.entry(call.route.kind, call.route.namespace, call.route.name)
        if entry is None:
            raise NotFound.of(call.route.kind, call.route.name)
        return entry

    def _get(self, call: Call) -> web.Response:
        self._authorize(call, "get")
        representation = answers.negotiate(call.request.headers.get("Accept", ""))
        entry = self._entry(call)
        if not representation.table:
            return answers.raw(entry.raw)
        return answers.raw(
            self._tabulator(call, representation.table).encode([entry], entry.revision, self._clock.now())
        )

    def _tabulator(self, call: Call, version: str) -> answers.Tabulator:
        return answers.Tabulator(call.route.kind, version, call.query.text("includeObject"))

    def _selection(self, call: Call) -> Selection:
        labels, fields = call.query.text("labelSelector"), call.query.text("fieldSelector")
        return Selection(
            call.route.namespace,
            parse_labels(labels) if labels else (),
            parse_fields(call.route.kind, fields) if fields else (),
        )

    def _selected(self, call: Call) -> list[Entry]:
        selection = self._selection(call)
        entries = self._cache.entries(call.route.kind, call.route.namespace)
        return entries if selection.everything else [entry for entry in entries if selection.matches(entry)]

    def _list(self, call: Call) -> web.Response:
        self._authorize(call, "list")
        representation = answers.negotiate(call.request.headers.get("Accept", ""))
        self._check_version(call)
        entries, revision = self._selected(call), self._cache.revision
        if representation.table:
            return answers.raw(self._tabulator(call, representation.table).encode(entries, revision, self._clock.now()))
        return answers.raw(answers.listed(call.route.kind, entries, revision))

    def _check_version(self, call: Call) -> None:
        if call.query.text("continue"):
            # Lists are never split, so this server has issued no token.
            raise BadRequest("continue: the token is not from this server")
        version = call.query.number("resourceVersion") or 0
        if version > self._cache.revision:
            raise too_large_version(version, self._cache.revision)
        if call.query.text("resourceVersionMatch") == "Exact" and version != self._cache.revision:
            raise expired(version, self._cache.revision)

    async def _watch(self, call: Call) -> web.StreamResponse:
        self._authorize(call, "watch")
        representation = answers.negotiate(call.request.headers.get("Accept", ""))
        since, initial = call.query.number("resourceVersion"), call.query.flag("sendInitialEvents")
        options = WatchOptions(
            selection=self._selection(call),
            since=None if initial or not since else since,
            initial_events=initial,
            bookmarks=call.query.flag("allowWatchBookmarks"),
            timeout_s=float(call.query.number("timeoutSeconds") or 0),
        )
        tabulator = self._tabulator(call, representation.table) if representation.table else None
        return await Watch(self._cache, self._clock, call.route.kind, options, tabulator).serve(call.request)

    # -- writing --------------------------------------------------------------------------------------------------

    async def _body(self, call: Call, model: Any, kind: str, api_version: str) -> Any:
        value = await self._parsed(call, bodies.media_type(call.request))
        _check_type(value, kind, api_version)
        return bodies.typed(value, model, call.query.field_validation, call.warnings, call.duplicates)

    async def _parsed(self, call: Call, media: str) -> Any:
        body = await self._reader.read(call.request)
        duplicates = call.query.field_validation != "Ignore"
        value, call.duplicates = await bodies.decode(body, media, duplicates=duplicates)
        return value

    async def _object(self, call: Call) -> Any:
        kind = call.route.kind
        return await self._body(call, kind.model, kind.kind, kind.api_version)

    def _answer(self, call: Call, entry: Entry, status: int = 200) -> web.Response:
        representation = answers.negotiate(call.request.headers.get("Accept", ""))
        if not representation.table:
            return answers.raw(entry.raw, status, call.warnings)
        table = self._tabulator(call, representation.table).encode([entry], entry.revision, self._clock.now())
        return answers.raw(table, status, call.warnings)

    async def _create(self, call: Call) -> web.Response:
        # Before the body is read, so that a caller without the permission need not send it.
        self._authorize(call, "create")
        answers.negotiate(call.request.headers.get("Accept", ""))
        obj = await self._object(call)
        entry = await self._resources.create_entry(
            call.caller, call.route.kind, obj, namespace=call.route.namespace, dry_run=call.query.dry_run
        )
        return self._answer(call, entry, 201)

    async def _update(self, call: Call) -> web.Response:
        self._authorize(call, "update")
        obj = await self._object(call)
        entry = await self._change(call, lambda _: obj, expect=self._identify(call, obj), verb="update")
        return self._answer(call, entry)

    def _identify(self, call: Call, obj: Object) -> str:
        """Checks that the body has the path's name and namespace. Returns the body's resourceVersion.

        Raises BadRequest.
        """
        route, meta = call.route, obj.metadata
        if meta.name and meta.name != route.name:
            why = f"the name of the object ({meta.name}) does not match the name on the URL ({route.name})"
            raise BadRequest.at("metadata.name", why)
        if route.kind.namespaced and meta.namespace and meta.namespace != route.namespace:
            why = f"the namespace of the object ({meta.namespace}) does not match the namespace on the URL"
            raise BadRequest.at("metadata.namespace", f"{why} ({route.namespace})")
        return meta.resource_version

    async def _change(self, call: Call, change: Any, *, expect: str, verb: str) -> Entry:
        route = call.route
        entry = await self._resources.change_entry(
            call.caller,
            route.kind,
            route.namespace,
            route.name,
            change,
            subresource=route.subresource,
            expect=expect,
            verb=verb,
            dry_run=call.query.dry_run,
        )
        assert entry is not None
        return entry

    async def _patch_body(self, call: Call) -> dict[str, Any]:
        media = bodies.media_type(call.request)
        if media != _MERGE:
            raise UnsupportedMediaType(f"patches of type {media} are not supported; supported media types: {_MERGE}")
        patch = await self._parsed(call, "application/json")
        if not isinstance(patch, dict):
            raise BadRequest("a merge patch must be a JSON object")
        return patch

    async def _patch(self, call: Call) -> web.Response:
        self._authorize(call, "patch")
        patch = await self._patch_body(call)
        kind, validation = call.route.kind, call.query.field_validation

        def patched(entry: Entry) -> Any:
            call.warnings.clear()
            value = merge(msgspec.json.decode(entry.raw), patch)
            _check_type(value, kind.kind, kind.api_version)
            obj = bodies.typed(value, kind.model, validation, call.warnings, call.duplicates)
            self._identify(call, obj)
            return obj

        entry = await self._change(call, patched, expect=_patched_version(patch), verb="patch")
        return self._answer(call, entry)

    async def _delete_options(self, call: Call) -> tuple[DeleteOptions, bool]:
        """The options of a deletion, and whether it is a dry run."""
        body = await self._reader.read(call.request)
        media = bodies.media_type(call.request)
        value: Any = (await bodies.decode(body, media, duplicates=False))[0] if body.strip() else {}
        return deletes.options(bodies.typed(value, deletes.DeleteOptions, "Ignore", []), call.query)

    async def _delete(self, call: Call) -> web.Response:
        self._authorize(call, "delete")
        options, dry_run = await self._delete_options(call)
        kind, route = call.route.kind, call.route
        entry, removed = await self._resources.delete_entry(
            call.caller, kind, route.namespace, route.name, options, dry_run=dry_run
        )
        if removed and kind not in (POD, SERVICE):
            return answers.json(answers.success(kind, entry.name, entry.obj.metadata.uid))
        return self._answer(call, entry)

    async def _delete_collection(self, call: Call) -> web.Response:
        self._authorize(call, "deletecollection")
        options, dry_run = await self._delete_options(call)
        deleted: list[Entry] = []
        for entry in self._selected(call):
            try:
                current, _ = await self._resources.delete_entry(
                    call.caller, call.route.kind, entry.namespace, entry.name, options, dry_run=dry_run
                )
                deleted.append(current)
            except NotFound:
                # Another writer has removed it meanwhile.
                continue
        return answers.raw(answers.listed(call.route.kind, deleted, self._cache.revision))

    # -- subresources with other bodies -----------------------------------------------------------------------------

    async def _special(self, call: Call) -> web.StreamResponse:
        subresource, method = call.route.subresource, call.request.method
        if subresource == "scale" and method in ("GET", "PUT", "PATCH"):
            return await self._scale(call)
        if subresource == "binding" and method == "POST":
            return await self._bind(call)
        if subresource == "log" and method == "GET":
            self._authorize(call, "get")
            return await subresources.serve_log(call.request, self._logs, self._entry(call).obj, call.query)
        raise MethodNotAllowed(_NOT_ALLOWED)

    async def _scale(self, call: Call) -> web.Response:
        method = call.request.method
        if method == "GET":
            self._authorize(call, "get")
            return answers.json(subresources.scale_of(self._entry(call).obj))
        self._authorize(call, "update" if method == "PUT" else "patch")
        if method == "PUT":
            body = await self._body(call, Scale, "Scale", "autoscaling/v1")
            expect = self._identify(call, body)

            def scaled(entry: Entry) -> Any:
                return subresources.scaled(entry.obj, body)
        else:
            patch = await self._patch_body(call)
            expect = _patched_version(patch)

            def scaled(entry: Entry) -> Any:
                value = merge(msgspec.json.decode(msgspec.json.encode(subresources.scale_of(entry.obj))), patch)
                call.warnings.clear()
                scale = bodies.typed(value, Scale, call.query.field_validation, call.warnings, call.duplicates)
                return subresources.scaled(entry.obj, scale)

        entry = await self._change(call, scaled, expect=expect, verb="update" if method == "PUT" else "patch")
        return answers.json(subresources.scale_of(entry.obj), 200, call.warnings)

    async def _bind(self, call: Call) -> web.Response:
        self._authorize(call, "create")
        binding = await self._body(call, Binding, "Binding", "v1")
        self._identify(call, binding)
        subresources.check_binding(binding, call.route.name)
        if not call.query.dry_run:
            route, uid = call.route, binding.metadata.uid
            await self._resources.bind(call.caller, route.namespace, route.name, binding.target.name, uid=uid)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return answers.json(status, 201)


def _is_writable(route: Route, method: str) -> bool:
    """Whether the collection supports the method. As in Kubernetes, nothing is written across namespaces, and a
    request deletes only one namespace.
    """
    if route.kind is NAMESPACE:
        return method == "POST"
    return bool(route.namespace) or not route.kind.namespaced


def _check_type(value: Any, kind: str, api_version: str) -> None:
    """Checks kind and apiVersion of a body, which may leave them out. Raises BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest(f"expected an object of kind {kind}")
    for name, expected in (("kind", kind), ("apiVersion", api_version)):
        actual = value.get(name)
        # Values that are not text are reported with the wrong types of other fields.
        if isinstance(actual, str) and actual not in ("", expected):
            body = f"the body is a {value.get('kind') or kind} of {value.get('apiVersion') or api_version}"
            raise BadRequest.at(name, f"{body}, the path takes a {kind} of {api_version}")


def _patched_version(patch: dict[str, Any]) -> str:
    """The resourceVersion in a patch, which the object must have; empty if there is none."""
    metadata = patch.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else ""
    # Values that are not text are reported with the wrong types of other fields.
    return version if isinstance(version, str) else ""
