"""Forwarded ports, from clients to servers that listen on loopback, through a real master and a real agent's session.

Clients are websockets with channels, and unmodified kubectls: older ones use SPDY, newer ones SPDY in websockets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from proto import contract
from tests.fakes.listening import echo, listening, unused_port
from tests.fakes.processbed import POD, Bed
from tests.fakes.sessions import until
from tests.service.master.kubectls import ALL, KUBECTLS, NEWEST, name_of

pytestmark = pytest.mark.timeout(60)


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the number of the bytes, after all of them."""
    writer.write(str(len(await reader.read(-1))).encode())
    await writer.drain()


def by_channels(
    bed: Bed, *ports: int, protocols: tuple[str, ...] = ("v4.channel.k8s.io",)
) -> aiohttp.client._WSRequestContextManager:
    query = "&".join(f"ports={port}" for port in ports)
    address = bed.client.url(f"{POD}/portforward?{query}")
    # A master that is stopped by a server that does not read does not see that the client closes its websocket.
    quick = aiohttp.ClientWSTimeout(ws_close=0.1)
    return bed.session.ws_connect(address, protocols=protocols, ssl=bed.client.context, timeout=quick)


@pytest.mark.parametrize("protocols", [("v4.channel.k8s.io",), ("portforward.k8s.io",), ()], ids=str)
async def test_the_channels_of_two_ports(bed: Bed, protocols: tuple[str, ...]) -> None:
    async with (
        listening(echo) as first,
        listening(echo) as second,
        by_channels(bed, first, second, protocols=protocols) as socket,
    ):
        names = [await socket.receive_bytes() for _ in range(4)]
        assert names == [
            bytes([channel]) + port.to_bytes(2, "little") for channel, port in enumerate((first, first, second, second))
        ]
        await socket.send_bytes(b"\x02two")
        assert await socket.receive_bytes() == b"\x02two"
        await socket.send_bytes(b"\x00one")
        assert await socket.receive_bytes() == b"\x00one"
    await until(lambda: not bed.agent.machine.connections)


async def test_the_channels_in_text(bed: Bed) -> None:
    async with listening(echo) as port, by_channels(bed, port, protocols=("v4.base64.channel.k8s.io",)) as socket:
        number = base64.b64encode(port.to_bytes(2, "little")).decode()
        assert [await socket.receive_str(), await socket.receive_str()] == [f"0{number}", f"1{number}"]
        await socket.send_str("0" + base64.b64encode(b"one").decode())
        assert await socket.receive_str() == "0" + base64.b64encode(b"one").decode()
        await socket.send_bytes(b"\x00ignored")
        await socket.send_str("0!")
        await socket.send_str("0" + base64.b64encode(b"two").decode())
        assert await socket.receive_str() == "0" + base64.b64encode(b"two").decode()
    await until(lambda: not bed.agent.machine.connections)


async def test_in_text_there_are_fewer_ports(bed: Bed) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with by_channels(bed, *range(1, 41), protocols=("v4.base64.channel.k8s.io",)):
            pass
    assert refused.value.status == 400


async def test_a_refused_port_is_an_error_on_its_channel_and_the_other_goes_on(bed: Bed) -> None:
    closed = unused_port()
    async with listening(echo) as port, by_channels(bed, closed, port) as socket:
        for _ in range(4):
            await socket.receive_bytes()
        error = await socket.receive_bytes()
        assert error[:1] == b"\x01"
        uid = bed.agent.machine.connection_requests[0].uid
        reason = f"dial tcp 127.0.0.1:{closed}: connect: connection refused"
        assert error[1:].decode() == f"error forwarding port {closed} to pod web, uid {uid}: {reason}"
        await socket.send_bytes(b"\x00dropped")
        await socket.send_bytes(b"\x02still here")
        assert await socket.receive_bytes() == b"\x02still here"


async def test_the_websocket_ends_with_the_last_connection(bed: Bed) -> None:
    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")

    async with listening(hello) as port, by_channels(bed, port) as socket:
        messages = [message.data async for message in socket]
    assert messages[2:] == [b"\x00hello"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        pytest.param("", 'query parameter "ports" is required', id="none"),
        pytest.param("ports=", "cannot be empty", id="empty"),
        pytest.param("ports=0", "must be > 0", id="zero"),
        pytest.param("ports=65536", "as a port", id="too large"),
        pytest.param("ports=80,http", "as a port", id="a name"),
    ],
)
async def test_wrong_ports_are_refused(bed: Bed, query: str, why: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    answer = await bed.client("GET", f"{POD}/portforward?{query}", headers=headers)
    assert answer.status == 400 and why in answer.json["message"]


async def test_without_an_upgrade_it_is_a_bad_request(bed: Bed) -> None:
    answer = await bed.client("POST", f"{POD}/portforward")
    assert (answer.status, answer.json["message"]) == (400, "Upgrade request required")


async def test_an_old_agent_is_not_asked(bed: Bed) -> None:
    session = bed.master.sessions.current("node-1")
    assert session is not None
    session.version = 2
    async with by_channels(bed, 80) as socket:
        messages = [message.data async for message in socket]
    assert b"too old for connections to pods" in messages[-1] and not bed.agent.machine.connection_requests


async def test_a_server_that_does_not_read_stops_the_client(bed: Bed) -> None:
    async def idle(*_: object) -> None:
        await asyncio.Event().wait()

    async with listening(idle) as port, by_channels(bed, port) as socket:
        sending = asyncio.create_task(_flood(socket))
        await until(lambda: bed.master.streams._streams and bed.agent.machine.connections)
        (stream,) = bed.master.streams._streams.values()
        await until(lambda: stream.ready.is_set() and not stream._credit)
        sending.cancel()


async def _flood(socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
    while True:
        await socket.send_bytes(b"\x00" + bytes(contract.STREAM_CHUNK_BYTES))


@asynccontextmanager
async def forwarded(bed: Bed, binary: Path, port: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A running `kubectl port-forward`, and the local port."""
    process = await bed.kubectl(binary, "port-forward", "--address=127.0.0.1", "pod/web", f":{port}")
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> ", line)
        if found is None:
            assert process.stderr is not None
            raise AssertionError(line + (await process.stderr.read()).decode())
        yield process, int(found[1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate(b"")


@pytest.mark.parametrize("binary", ALL, ids=name_of)
async def test_kubectl_forwards_connections_side_by_side(bed: Bed, pod_runs: None, binary: Path) -> None:
    async with listening(echo) as port, forwarded(bed, binary, port) as (_, local):
        blocks = [os.urandom(1 << 20) for _ in range(3)]
        assert await asyncio.gather(*(exchange(local, block) for block in blocks)) == blocks
    await until(lambda: not bed.agent.machine.connections)


async def exchange(port: int, data: bytes) -> bytes:
    """Send all, and read as much."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    received = await reader.readexactly(len(data))
    writer.close()
    return received


@pytest.mark.parametrize("binary", NEWEST, ids=name_of)
async def test_kubectl_half_closes(bed: Bed, pod_runs: None, binary: Path) -> None:
    async with listening(swallow) as port, forwarded(bed, binary, port) as (_, local):
        reader, writer = await asyncio.open_connection("127.0.0.1", local)
        writer.write(b"x" * 300_000)
        writer.write_eof()
        assert await reader.read(-1) == b"300000"
        writer.close()


@pytest.mark.parametrize("binary", KUBECTLS, ids=name_of)
async def test_kubectl_says_why_a_port_is_not_reached(bed: Bed, pod_runs: None, binary: Path) -> None:
    closed = unused_port()
    async with forwarded(bed, binary, closed) as (process, local):
        reader, writer = await asyncio.open_connection("127.0.0.1", local)
        with contextlib.suppress(ConnectionError):
            assert await reader.read(-1) == b""
        writer.close()
        assert process.stderr is not None
        text = b""
        while b"connection refused" not in text:
            text += await process.stderr.readline()
    assert b"an error occurred forwarding" in text and f"error forwarding port {closed} to pod web".encode() in text
