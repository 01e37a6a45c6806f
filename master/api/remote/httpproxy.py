"""Passes one HTTP request on to a pod, over a connection that the pod's node has made, and the response back.

Owns the exchange; aiohttp's client speaks HTTP (podsessions.py). Links in pages lead to the proxy again. An upgrade is
passed through: from then on, bytes go both ways.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp import web

from master.api.errors import InternalError, Unavailable
from master.api.remote.multiplexer import Transport
from master.api.remote.podsessions import SwitchedConnection, pod_session
from master.api.remote.proxyheaders import joined, redirected, request_headers, response_headers
from master.api.remote.proxylinks import Coded, Links, page
from master.api.remote.socketpairs import as_socket
from master.api.remote.tcp import TcpConnection
from master.api.remote.upgrades import UpgradedConnection
from master.api.rest import answers

_SWITCHED: Final = 101


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes.

    `host`: the pod's address with its port. `path`: encoded; empty, or with a slash at its start. `prefix`: the path of
    the proxy, decoded.
    """

    scheme: str
    host: str
    path: str
    prefix: str


def redirection(request: web.BaseRequest, place: Place) -> web.Response | None:
    """For a GET of the proxy itself without a slash at the end: relative links of the page would lead out of it."""
    if place.path or request.method not in ("GET", "HEAD") or "Upgrade" in request.headers:
        return None
    path, mark, query = request.raw_path.partition("?")
    return web.Response(status=301, headers={"Location": f"{path}/{mark}{query}"})


async def relay(request: web.BaseRequest, connection: TcpConnection, place: Place) -> web.StreamResponse:
    """The pod's response. Raises Unavailable if the pod does not answer in HTTP, InternalError for a wrong upgrade."""
    upgrade = "upgrade" in request.headers.get("Connection", "").lower() and "Upgrade" in request.headers
    async with (
        as_socket(connection) as connected,
        pod_session(connected, tls=place.scheme == "https") as session,
    ):
        try:
            answer = await session.request(
                request.method,
                _url(request, place),
                headers=_headers(request, place, upgrade=upgrade),
                data=_body(request),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"error trying to reach service: {error or type(error).__name__}") from error
        async with answer:
            if answer.status == _SWITCHED:
                if not upgrade:  # the client would take what follows for the answers to its next requests
                    to = answer.headers.get("Upgrade", "")
                    raise InternalError(f'backend tried to switch protocol "{to}" when "" was requested')
                return await _switch(request, answer)
            if upgrade and answer.status < 400:
                raise InternalError(f"invalid upgrade response: status code {answer.status}")
            return await _respond(request, answer, place)


def _url(request: web.BaseRequest, place: Place) -> Any:
    """A URL of aiohttp, in which path and query are encoded as the client has encoded them.

    Nothing is taken from the header Host: a user and a password in it would become a header Authorization.
    """
    host, _, port = place.host.rpartition(":")
    sent = request.rel_url
    return type(sent).build(
        scheme=place.scheme,
        host=host,
        port=int(port),
        path=place.path or "/",
        query_string=sent.raw_query_string,
        encoded=True,
    )


def _headers(request: web.BaseRequest, place: Place, *, upgrade: bool) -> Any:
    uri = joined(place.prefix, place.path)
    return request_headers(list(request.headers.items()), client=request.remote or "", uri=uri, upgrade=upgrade)


def _body(request: web.BaseRequest) -> AsyncIterator[bytes] | None:
    return _pieces(request) if request.body_exists else None


async def _pieces(request: web.BaseRequest) -> AsyncIterator[bytes]:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for piece in request.content.iter_any():
        yield piece


async def _respond(request: web.BaseRequest, answer: aiohttp.ClientResponse, place: Place) -> web.StreamResponse:
    """A response that breaks off in the middle is broken off for the client too."""
    headers = response_headers(list(answer.headers.items()), host=request.host, pod=place.host, prefix=place.prefix)
    changing = _page(request, answer, place)
    if changing is not None:
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            for changed in (piece,) if changing is None else changing.feed(piece):
                await response.write(changed)
                # A short piece can unpack to megabytes: others must have their turn before all of them are searched.
                await asyncio.sleep(0)
        if changing is not None and request.method != "HEAD":
            await response.write(changing.end())
    except (aiohttp.ClientError, zlib.error):
        answers.break_off(request)
    return response


def _page(request: web.BaseRequest, answer: aiohttp.ClientResponse, place: Place) -> Links | Coded | None:
    """What changes the links of the response; None if it has none, as those of a redirection."""
    if "Location" in answer.headers:
        return None
    encoding = answer.headers.get("Content-Encoding", "")
    moved = partial(redirected, host=request.host, pod=place.host, prefix=place.prefix)
    return page(answer.headers.get("Content-Type", ""), encoding, moved)


async def _switch(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass bytes both ways, until one side ends."""
    pod, client = SwitchedConnection(answer), UpgradedConnection()
    await client.accept(request, answer.headers)
    tasks = {
        asyncio.create_task(_pass(client, pod), name="to a pod"),
        asyncio.create_task(_pass(pod, client), name="from a pod"),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return client.response


async def _pass(source: Transport, target: Transport) -> None:
    while data := await source.read():
        await target.write(data)
