"""Upgrades through the proxies of pods: websockets, and pods or clients that do not keep the rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from tests.fakes.listening import listening
from tests.fakes.processbed import Bed
from tests.fakes.sessions import until
from tests.service.agent.session.proxied import mirror, serving, through

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("pod_runs")]


async def test_a_websocket_passes_through(bed: Bed) -> None:
    async def shout(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("loud",))
        await socket.prepare(request)
        await socket.send_str("hello")
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    async with serving(shout) as port:
        address = bed.client.url(through(port, "/ws"))
        connecting = bed.session.ws_connect(address, protocols=("loud",), ssl=bed.client.context)
        async with connecting as socket:
            assert socket.protocol == "loud" and await socket.receive_str() == "hello"
            for size in (10, 200_000):
                await socket.send_str("x" * size)
                assert await socket.receive_str() == "X" * size
    await until(lambda: not bed.agent.machine.connections)


async def test_a_pod_that_does_not_upgrade_is_an_error(bed: Bed) -> None:
    async with serving(mirror) as port:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with bed.session.ws_connect(bed.client.url(through(port, "/")), ssl=bed.client.context):
                pass
    assert refused.value.status == 500


async def test_a_request_for_an_upgrade_may_have_a_body_in_chunks(bed: Bed) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"some"
        yield b" bytes"

    got: list[bytes] = []

    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        got.append(await request.read())
        return web.Response(status=426)

    async with serving(refuse) as port:
        address = bed.client.url(through(port, "/"))
        headers = {"Connection": "Upgrade", "Upgrade": "odd"}
        async with bed.session.post(address, data=body(), headers=headers, ssl=bed.client.context) as answer:
            assert answer.status == 426
    assert got == [b"some bytes"]


async def test_a_pod_cannot_upgrade_a_connection_by_itself(bed: Bed) -> None:
    """What it sends afterwards would be the answers to the next requests on the client's connection."""

    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with listening(switch) as port:
        answer = await bed.client("GET", through(port, "/"))
    assert answer.status == 500
    assert 'backend tried to switch protocol "odd" when "" was requested' in answer.json["message"]
