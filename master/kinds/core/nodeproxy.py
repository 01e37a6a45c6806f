"""The subresource `proxy` of nodes: what the node's agent answers about itself, as a kubelet does on its port 10250.

The agent opens no port, so only GET is served, and only the agent's own paths. Logs are streams of the node anyway, so
`/containerLogs/NAMESPACE/POD/CONTAINER` is answered here, with the options of the subresource `log`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol
from urllib.parse import unquote

from aiohttp import web

from master.api.errors import ApiError, BadRequest, MethodNotAllowed, NotFound, Unavailable
from master.api.remote.proxytargets import target_of
from master.api.rest import answers
from master.api.rest.call import Call
from master.cache import Cache
from master.kinds.core.node import NODE
from master.kinds.core.pod import log
from master.kinds.core.pod.logs import LogSource
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.resource import POD

KUBELET_PORT: Final = "10250"


class NodeAnswer(Protocol):
    """The answer of an agent. `status` and `content_type` are known from the start."""

    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    async def read(self) -> tuple[int, bytes] | None:
        """A number without a meaning, and the next bytes; None: the end. Raises ApiError."""
        ...


class NodeQueries(Protocol):
    """Asks agents."""

    def ask(self, node: str, path: str, query: str) -> AbstractAsyncContextManager[NodeAnswer]:
        """The answer. Raises NodeUnreachable if the node has no session, BadRequest if its agent refuses."""
        ...


class NodeProxy:
    """Serves `/api/v1/nodes/NAME[:10250]/proxy`."""

    def __init__(self, cache: Cache, queries: NodeQueries, logs: LogSource) -> None:
        self._cache = cache
        self._queries = queries
        self._logs = logs

    async def pass_on(self, call: Call) -> web.StreamResponse:
        target = target_of(call)
        if self._cache.get(NODE, "", target.name) is None:
            raise NotFound.of(NODE, target.name)
        if target.port not in ("", KUBELET_PORT):
            raise BadRequest(
                f"only the agent of a node can be reached (port {KUBELET_PORT}), not other ports of its host"
            )
        if call.http.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the agents of nodes answer GET only")
        path, query = unquote(target.path) or "/", call.http.raw_path.partition("?")[2]
        match path.split("/"):
            case ["", "containerLogs", namespace, pod, container]:
                return await log.serve(
                    call.http, self._logs, self._pod(target.name, namespace, pod), call.query, container
                )
        try:
            async with self._queries.ask(target.name, path, query) as answer:
                return await _respond(call, answer)
        except ApiError as error:
            raise Unavailable(f"error trying to reach service: {error.message}") from error

    def _pod(self, node: str, namespace: str, name: str) -> Pod:
        pod = self._cache.get(POD, namespace, name)
        if pod is None or pod.spec.node_name != node:
            raise NotFound(f'pod "{name}" does not exist')
        return pod


async def _respond(call: Call, answer: NodeAnswer) -> web.StreamResponse:
    """A response that breaks off in the middle is broken off for the client too."""
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    await response.prepare(call.http)
    try:
        while (piece := await answer.read()) is not None:
            await response.write(piece[1])
    except ApiError:
        answers.break_off(call.http)
    return response
