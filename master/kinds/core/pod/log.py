"""The subresource `log` of pods: the log of one container as a stream of text."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator

from aiohttp import web

from master.api.errors import ApiError, BadRequest, Invalid
from master.api.remote import websocketstream
from master.api.remote.websockets import is_websocket
from master.api.rest import answers
from master.api.rest.call import Call
from master.api.rest.query import Query
from master.cache import Entry
from master.kinds.core.pod.logs import LogOptions, LogSource
from master.kinds.core.pod.members import all_containers
from master.kinds.core.pod.model import Pod
from master.objects.meta import is_time
from master.objects.scalars import MAX_INT64
from master.schema.checks import Findings

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
# Characters of a wrong value in a message.
_MAX_SHOWN = 64

# The response to a follow request starts after this time even if the log is still empty, so that the client sees that
# it is connected.
_FIRST_CHUNK_S = 0.5


def log_options(query: Query, pod: str) -> LogOptions:
    """The log options in the query. Raises BadRequest for wrong text, Invalid for a number out of range."""
    options = LogOptions(
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        timestamps=query.flag("timestamps"),
        tail_lines=_int64(query, "tailLines"),
        since_seconds=_int64(query, "sinceSeconds"),
        since_time=query.text("sinceTime"),
        limit_bytes=_int64(query, "limitBytes"),
    )
    if options.since_time and not is_time(options.since_time):
        raise BadRequest(
            f"sinceTime: {options.since_time[:_MAX_SHOWN]!r} is not a time with a time zone (RFC 3339), "
            "such as 2026-11-28T13:05:00Z"
        )
    findings = Findings()
    for name, value, least in (
        ("tailLines", options.tail_lines, 0),
        ("sinceSeconds", options.since_seconds, 1),
        ("limitBytes", options.limit_bytes, 1),
    ):
        if value is not None:
            findings.between(name, value, least, MAX_INT64)
    if options.since_seconds is not None and options.since_time:
        findings.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
    if findings:
        raise Invalid.of_kind("PodLogOptions", pod, findings.causes)
    return options


def _int64(query: Query, name: str) -> int | None:
    """A number that fits into 64 bits with its sign; None if the parameter is missing or empty."""
    text = query.text(name)
    if not text:
        return None
    if not _INTEGER.fullmatch(text) or not -MAX_INT64 - 1 <= int(text) <= MAX_INT64:
        raise BadRequest(f"{name}: {text[:_MAX_SHOWN]!r} is not a number of 64 bits")
    return int(text)


def log_container(pod: Pod, requested: str) -> str:
    """The container of a log request. It may be empty for a pod with one container. Raises BadRequest."""
    names = [container.name for container in all_containers(pod.spec)]
    if requested in names:
        return requested
    if requested:
        raise BadRequest(f"container {requested} is not valid for pod {pod.metadata.name}")
    if len(pod.spec.containers) > 1:
        choice = f"choose one of: [{' '.join(names)}]"
        raise BadRequest(f"a container name must be specified for pod {pod.metadata.name}, {choice}")
    return pod.spec.containers[0].name


class PodLog:
    """Streams a container's log."""

    def __init__(self, source: LogSource) -> None:
        self._source = source

    async def connect(self, call: Call, entry: Entry) -> web.StreamResponse:
        """Raises ApiError only before the first chunk is sent.

        A log that ends with an error later is cut off, so that no client takes what it has for the whole.
        """
        pod: Pod = entry.obj
        return await serve(call.http, self._source, pod, call.query, call.query.text("container"))


async def serve(
    request: web.BaseRequest, logs: LogSource, pod: Pod, query: Query, requested: str
) -> web.StreamResponse:
    """The log of the requested container, with the options in the query. Raises ApiError as `PodLog.connect` does."""
    name = pod.metadata.name
    options = log_options(query, name)
    container = log_container(pod, requested)
    if not pod.spec.node_name:
        raise BadRequest(f'container "{container}" in pod "{name}" has no log yet: the pod is not on a node')
    meta = pod.metadata
    stream = logs.open(pod.spec.node_name, meta.namespace, name, meta.uid, container, options)
    async with contextlib.aclosing(_closable(stream)) as chunks:
        first = asyncio.ensure_future(anext(chunks, None))
        try:
            await asyncio.wait({first}, timeout=_FIRST_CHUNK_S if options.follow else None)
            if first.done():
                # Raises the node's error, if it has one, while the response can still be a Status.
                first.result()
            async with contextlib.aclosing(_with_first(first, chunks)) as pieces:
                return await (websocketstream.send if is_websocket(request) else _send)(request, pieces)
        finally:
            if not first.done():
                first.cancel()
                await asyncio.wait({first})


async def _send(request: web.BaseRequest, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    response = answers.streamed(request)
    response.content_type = "text/plain"
    await response.prepare(request)
    try:
        async for piece in pieces:
            await response.write(piece)
    except ApiError as error:
        # The response has begun, so it cannot be a Status any more: append the message to the log, and close the
        # connection before the response's end.
        await response.write(f"{error.message}\n".encode())
        answers.break_off(request)
    return response


async def _with_first(first: asyncio.Future[bytes | None], rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The piece that was already asked for, and the others."""
    piece = await first
    if piece is not None:
        yield piece
        async for piece in rest:
            yield piece


async def _closable(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in stream:
        yield chunk
