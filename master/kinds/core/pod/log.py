"""The subresource `log` of pods: the log of one container as a stream of text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from aiohttp import web

from master.api.errors import ApiError, BadRequest
from master.api.rest.call import Call
from master.api.rest.query import Query
from master.cache import Entry
from master.kinds.core.pod.logs import LogOptions, LogSource
from master.kinds.core.pod.model import Pod

# The response to a follow request starts after this time even if the log is still empty, so that the client sees that
# it is connected.
_FIRST_CHUNK_S = 0.5


def log_options(query: Query) -> LogOptions:
    """The log options in the query. Raises BadRequest."""
    return LogOptions(
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        timestamps=query.flag("timestamps"),
        tail_lines=query.number("tailLines"),
        since_seconds=query.number("sinceSeconds"),
        since_time=query.text("sinceTime"),
        limit_bytes=query.number("limitBytes"),
    )


def log_container(pod: Pod, requested: str) -> str:
    """The container of a log request. It may be empty for a pod with one container. Raises BadRequest."""
    names = [container.name for container in pod.spec.containers]
    inits = [container.name for container in pod.spec.init_containers]
    if requested:
        if requested in names or requested in inits:
            return requested
        raise BadRequest(
            f"container {requested} is not valid for pod {pod.metadata.name}; it has {', '.join(names + inits)}"
        )
    if len(names) > 1:
        choice = f"choose one of: [{' '.join(names)}]"
        raise BadRequest(f"a container name must be specified for pod {pod.metadata.name}, {choice}")
    return names[0]


class PodLog:
    """Streams a container's log."""

    def __init__(self, source: LogSource) -> None:
        self._source = source

    async def connect(self, call: Call, entry: Entry) -> web.StreamResponse:
        """Raises ApiError only before the first chunk is sent."""
        return await _serve(call.http, self._source, entry.obj, call.query)


async def _serve(request: web.BaseRequest, logs: LogSource, pod: Pod, query: Query) -> web.StreamResponse:
    name = pod.metadata.name
    container = log_container(pod, query.text("container"))
    if not pod.spec.node_name:
        raise BadRequest(f'container "{container}" in pod "{name}" has no log yet: the pod is not on a node')
    options = log_options(query)
    meta = pod.metadata
    stream = logs.open(pod.spec.node_name, meta.namespace, name, meta.uid, container, options)
    response = web.StreamResponse()
    response.content_type = "text/plain"
    response.enable_chunked_encoding()
    async with contextlib.aclosing(_closable(stream)) as chunks:
        first = asyncio.ensure_future(anext(chunks, None))
        try:
            await asyncio.wait({first}, timeout=_FIRST_CHUNK_S if options.follow else None)
            if first.done():
                # Raises the node's error, if it has one, while the response can still be a Status.
                first.result()
            await response.prepare(request)
            try:
                chunk = await first
                while chunk is not None:
                    await response.write(chunk)
                    chunk = await anext(chunks, None)
            except ApiError as error:
                # The response has begun, so it cannot be a Status any more: append the message to the log.
                await response.write(f"{error.message}\n".encode())
        finally:
            if not first.done():
                first.cancel()
                await asyncio.wait({first})
    return response


async def _closable(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in stream:
        yield chunk
