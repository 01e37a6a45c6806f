"""The method of a request on a resource becomes a verb: which handler serves it, if any."""

from __future__ import annotations

from collections.abc import Awaitable

from aiohttp import web

from master.api.errors import MethodNotAllowed
from master.api.rest.call import Call
from master.api.rest.computed import ComputedReads
from master.api.rest.reads import Reads
from master.api.rest.routes import Route
from master.api.rest.subresources import Subresources
from master.api.rest.writes import Writes
from master.registry.subresource import Part


class Verbs:
    """Handles requests for resources."""

    def __init__(self, reads: Reads, writes: Writes, subresources: Subresources, computed: ComputedReads) -> None:
        self._reads = reads
        self._computed = computed
        self._writes = writes
        self._subresources = subresources

    def handle(self, call: Call) -> Awaitable[web.StreamResponse]:
        """The response to any method on any resource. Raises ApiError.

        Not a coroutine itself, as each one more costs every request.
        """
        route, method = call.route, call.http.method
        subresource = route.subresource
        if subresource is not None and not isinstance(subresource, Part):
            return self._subresources.handle(call, subresource)
        if route.resource.action is not None:
            return self._subresources.handle(call, route.resource.action)
        verb = _verb(route, method, watch=method == "GET" and not route.name and call.query.flag("watch"))
        if verb not in (subresource.verbs if subresource is not None else route.resource.verbs):
            # As in Kubernetes, a status can be read wherever it can be written.
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        if route.resource.computed is not None:
            return self._computed.handle(call, route.resource.computed)
        match verb:
            case "get":
                return self._reads.get(call)
            case "list":
                return self._reads.list(call)
            case "watch":
                return self._reads.watch(call)
            case "create":
                return self._writes.create(call)
            case "update":
                return self._writes.update(call)
            case "patch":
                return self._writes.patch(call)
            case "delete":
                return self._writes.delete(call)
            case _:
                return self._writes.delete_collection(call)


def _verb(route: Route, method: str, *, watch: bool) -> str:
    """The verb of a method; empty if the path does not support it.

    As in Kubernetes, nothing is written across namespaces. A response to HEAD has no body, so it never watches.
    """
    if method in ("GET", "HEAD"):
        return "get" if route.name else "watch" if watch else "list"
    if route.name:
        verbs = {"PUT": "update", "PATCH": "patch"}
        if route.subresource is None:
            verbs["DELETE"] = "delete"
        return verbs.get(method, "")
    if route.resource.namespaced and not route.namespace:
        return ""
    return {"POST": "create", "DELETE": "deletecollection"}.get(method, "")
