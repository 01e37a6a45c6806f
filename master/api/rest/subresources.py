"""Subresources whose bodies are not the object's kind: scale, binding, log."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from master.api.errors import ApiError, BadRequest, Invalid
from master.api.rest.query import Query
from master.kinds.autoscaling.scale import Binding, Scale, ScaleSpec, ScaleStatus
from master.kinds.core.pod.logs import LogOptions, LogSource
from master.kinds.core.pod.model import Pod
from master.objects.meta import ObjectMeta, is_time
from master.schema import constraints
from master.schema.checks import Findings, dns_subdomain

_MAX_INT64 = (1 << 63) - 1
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
# Characters of a wrong value in a message.
_MAX_SHOWN = 64

# The response to a follow request starts after this time even if the log is still empty, so that the client sees that
# it is connected.
_FIRST_CHUNK_S = 0.5


def scale_of(obj: Any) -> Scale:
    """The scale of a replication controller."""
    meta = obj.metadata
    return Scale(
        api_version="autoscaling/v1",
        kind="Scale",
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=ScaleSpec(replicas=obj.spec.replicas or 0),
        status=ScaleStatus(
            replicas=obj.status.replicas,
            selector=",".join(f"{key}={value}" for key, value in sorted(obj.spec.selector.items())),
        ),
    )


def scaled(obj: Any, scale: Scale) -> Any:
    """The controller with the number of replicas of a scale. Raises Invalid."""
    findings = Findings()
    constraints.check(scale.spec, findings, "spec")
    _refuse("Scale", obj.metadata.name, findings)
    return replace(obj, spec=replace(obj.spec, replicas=scale.spec.replicas))


def check_binding(binding: Binding, pod: str) -> None:
    """Checks that the target is a node and has a valid name. Raises Invalid."""
    findings = Findings()
    target = binding.target
    findings.one_of("target.kind", target.kind, ("", "Node"))
    if not target.name:
        findings.required("target.name")
    else:
        findings.form("target.name", target.name, dns_subdomain(target.name))
    _refuse("Binding", pod, findings)


def _refuse(kind: str, name: str, findings: Findings) -> None:
    if findings:
        problems = ", ".join(f"{cause.field}: {cause.message}" for cause in findings.causes)
        raise Invalid(f'{kind} "{name}" is invalid: {problems}', causes=findings.causes, name=name, kind=kind)


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
    findings.within("tailLines", options.tail_lines, range(_MAX_INT64 + 1))
    findings.within("sinceSeconds", options.since_seconds, range(1, _MAX_INT64 + 1))
    findings.within("limitBytes", options.limit_bytes, range(1, _MAX_INT64 + 1))
    if options.since_seconds is not None and options.since_time:
        findings.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
    _refuse("PodLogOptions", pod, findings)
    return options


def _int64(query: Query, name: str) -> int | None:
    """A number that fits into 64 bits with its sign; None if the parameter is missing or empty."""
    text = query.text(name)
    if not text:
        return None
    if not _INTEGER.fullmatch(text) or not -_MAX_INT64 - 1 <= int(text) <= _MAX_INT64:
        raise BadRequest(f"{name}: {text[:_MAX_SHOWN]!r} is not a number of 64 bits")
    return int(text)


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


async def serve_log(request: web.BaseRequest, logs: LogSource, pod: Pod, query: Query) -> web.StreamResponse:
    """Streams a container's log. Raises ApiError only before the first chunk is sent.

    A log that ends with an error later is cut off, so that no client takes what it has for the whole.
    """
    name = pod.metadata.name
    options = log_options(query, name)
    container = log_container(pod, query.text("container"))
    if not pod.spec.node_name:
        raise BadRequest(f'container "{container}" in pod "{name}" has no log yet: the pod is not on a node')
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
                # The response has begun, so it cannot be a Status any more: append the message to the log, and close
                # the connection before the response's end.
                await response.write(f"{error.message}\n".encode())
                if request.transport is not None:
                    request.transport.close()
        finally:
            if not first.done():
                first.cancel()
                await asyncio.wait({first})
    return response


async def _closable(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in stream:
        yield chunk
