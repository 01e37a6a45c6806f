"""Subresources whose bodies are not the object: views (scale), actions (binding) and connections (log)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from master.api.errors import Invalid, MethodNotAllowed, NotFound
from master.api.pipeline.metadata import check_uid
from master.api.resources import Resources
from master.api.rest import answers, bodies, options, patching
from master.api.rest.bodies import APPLY, Document
from master.api.rest.call import Call
from master.api.rest.reads import Reads
from master.api.rest.writes import Writes
from master.cache import Entry
from master.registry.subresource import Action, Connection, Proxy, View
from master.schema.checks import Findings

_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}

_PROXY_VERBS = {**_VERBS, "HEAD": "get", "OPTIONS": ""}


class Connector(Protocol):
    """Serves a connection to an object, such as the stream of a log."""

    async def connect(self, call: Call, entry: Entry) -> web.StreamResponse:
        """The response, which may last long. Raises ApiError before it begins."""
        ...


Connectors = Mapping[tuple[str, str], Connector]
"""The connectors by resource (plural and group) and subresource: `("pods", "log")`."""


class ProxyConnector(Protocol):
    """Passes requests on to what the name in the path refers to."""

    async def pass_on(self, call: Call) -> web.StreamResponse:
        """The response, whatever it is. Raises ApiError if there is none."""
        ...


Proxies = Mapping[str, ProxyConnector]
"""The connectors of proxies by resource."""


class Subresources:
    """Answers requests for subresources."""

    def __init__(
        self, resources: Resources, reads: Reads, writes: Writes, connectors: Connectors, proxies: Proxies
    ) -> None:
        self._resources = resources
        self._pipeline = resources.pipeline
        self._reads = reads
        self._writes = writes
        self._connectors = connectors
        self._proxies = proxies

    async def handle(self, call: Call, subresource: View | Action | Connection | Proxy) -> web.StreamResponse:
        """The response to any method. Raises ApiError."""
        if isinstance(subresource, Proxy):
            return await self._proxy(call)
        verb = _VERBS.get(call.http.method, "")
        if verb not in subresource.verbs:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        if isinstance(subresource, View):
            return await self._view(call, subresource, verb)
        if isinstance(subresource, Action):
            return await self._action(call, subresource, verb)
        await self._pipeline.authorize(call.request(verb))
        if subresource.permission not in ("", verb):
            await self._pipeline.authorize(call.request(subresource.permission))
        connector = self._connectors.get((call.route.resource.resource, subresource.name))
        if connector is None:
            raise NotFound("the server could not find the requested resource")
        return await connector.connect(call, self._reads.entry(call))

    async def _proxy(self, call: Call) -> web.StreamResponse:
        verb = _PROXY_VERBS.get(call.http.method)
        if verb is None:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        await self._pipeline.authorize(call.request(verb))
        connector = self._proxies.get(call.route.resource.resource)
        if connector is None:
            raise NotFound("the server could not find the requested resource")
        return await connector.pass_on(call)

    async def _action(self, call: Call, action: Action, verb: str) -> web.Response:
        permit = await self._pipeline.authorize(call.change(verb, dry_run=call.query.dry_run))
        answers.negotiate_plain(call.accept)
        document = await self._writes.document(call, action.schema)
        served = (action.served.kind, action.served.api_version)
        body = bodies.read(document, action.schema, served, call.query.field_validation, call.warnings)
        if call.route.subresource is not None:
            call.identify(body)
        body = action.schema.default(body)
        _check(action, body, body.metadata.name)
        return answers.json(await action.act(self._resources, permit, body), 201, call.warnings)

    async def _view(self, call: Call, view: View, verb: str) -> web.Response:
        permit = await self._pipeline.authorize(call.change(verb, dry_run=call.query.dry_run and verb != "get"))
        if verb == "get":
            return answers.raw(view.schema.encode(view.read(self._reads.entry(call).obj)))
        if verb == "patch" and bodies.media_type(call.http) == APPLY:
            applied = await self._writes.applies.apply_view(call, view)
            return answers.raw(view.schema.encode(view.read(applied.entry.obj)), 200, call.warnings)
        options.check(call.query, verb)
        change = await (self._patched_view(call, view) if verb == "patch" else self._new_view(call, view))

        def changed(entry: Entry) -> Any:
            call.warnings.clear()
            body = change(entry)
            patching.check_version(call.route.resource, entry, call.identify(body))
            check_uid(call.route.resource, body.metadata, entry.obj.metadata)
            _check(view, body, entry.name)
            return view.write(entry.obj, body)

        outcome = await self._pipeline.change(permit, changed)
        assert outcome is not None
        return answers.raw(view.schema.encode(view.read(outcome.entry.obj)), 200, call.warnings)

    async def _new_view(self, call: Call, view: View) -> Callable[[Entry], Any]:
        """The view that is in the body of a PUT."""
        document = await self._writes.document(call, view.schema)
        return lambda _: self._read_view(call, view, document, document.value)

    async def _patched_view(self, call: Call, view: View) -> Callable[[Entry], Any]:
        """The view that a PATCH makes of the object's."""
        patch = await self._writes.patch_body(call, view.schema)

        def patched(entry: Entry) -> Any:
            value = patch.apply(view.schema.encode(view.read(entry.obj)))
            with patching.reading(patch, value, call):
                return self._read_view(call, view, patch.document, value)

        return patched

    def _read_view(self, call: Call, view: View, document: Document, value: Any) -> Any:
        bodies.check_type(value, view.served.kind, view.served.api_version)
        return bodies.typed(value, view.schema, call.query.field_validation, call.warnings, document)


def _check(form: View | Action, body: Any, name: str) -> None:
    findings = Findings()
    form.schema.check(body, findings)
    if findings:
        raise Invalid.of_kind(form.served.kind, name, findings.causes, group=form.served.group)
