"""A request for a resource on its way through REST."""

from __future__ import annotations

import msgspec
from aiohttp import web
from msgspec import field
from msgspec.structs import replace

from master.api.errors import BadRequest
from master.api.identity import Caller
from master.api.pipeline.authorization import Attributes
from master.api.pipeline.request import Request
from master.api.rest.options import MAX_MANAGER_BYTES
from master.api.rest.query import Query
from master.api.rest.routes import Route
from master.fieldmanager.managers import UNKNOWN
from master.objects.meta import Object


class Call(msgspec.Struct):
    """The HTTP request with all that its path, its certificate and its query say."""

    http: web.BaseRequest
    caller: Caller
    route: Route
    query: Query
    warnings: list[str] = field(default_factory=list)

    @property
    def accept(self) -> str:
        return self.http.headers.get("Accept", "")

    def attributes(self, verb: str) -> Attributes:
        """What the caller of a request that only reads has to be allowed."""
        route, resource = self.route, self.route.resource
        return Attributes(verb, resource.group, resource.plural, route.subresource_name, route.namespace, route.name)

    def request(self, verb: str) -> Request:
        """The request for the pipeline. For one that changes objects, use `change`."""
        route = self.route
        return Request(self.caller, verb, route.resource, route.namespace, route.name, route.subresource_name)

    def change(self, verb: str, *, dry_run: bool = False) -> Request:
        """The request for the pipeline to change objects: with the manager of the fields that change."""
        manager = self.query.text("fieldManager") or self._agent()
        return replace(self.request(verb), dry_run=dry_run, manager=manager, api_version=self.route.api_version)

    def _agent(self) -> str:
        """The client's program: its User-Agent up to the first slash, as far as it can be printed."""
        program = self.http.headers.get("User-Agent", "").partition("/")[0]
        if not (program.isascii() and program.isprintable() and len(program) <= MAX_MANAGER_BYTES):
            printable = "".join(filter(str.isprintable, program)).encode("utf-8", "ignore")
            program = printable[:MAX_MANAGER_BYTES].decode("utf-8", "ignore")
        return program or UNKNOWN

    def identify(self, obj: Object) -> str:
        """Checks that the body has the path's name and namespace. Returns the body's resourceVersion.

        Raises BadRequest.
        """
        route, meta = self.route, obj.metadata
        if meta.name and meta.name != route.name:
            why = f"the name of the object ({meta.name}) does not match the name on the URL ({route.name})"
            raise BadRequest.at("metadata.name", why)
        if route.resource.namespaced and meta.namespace and meta.namespace != route.namespace:
            why = f"the namespace of the object ({meta.namespace}) does not match the namespace on the URL"
            raise BadRequest.at("metadata.namespace", f"{why} ({route.namespace})")
        return meta.resource_version
