"""Clients that stop after connecting, send without end, never read or use another protocol do not affect others.

Afterwards the master has no more descriptors than before, and hardly more memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from master.memory import GROWTH_BYTES
from tests.service.master.process import Master, answer, head, running

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
THOUSAND = 1000
# Allowed growth of the master. A connection takes about 50 KB, so a leak of half of a thousand would be noticed.
LEAK_BYTES = GROWTH_BYTES + (8 << 20)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    with running(tmp_path_factory.mktemp("master")) as master:
        # Files and memory that the master needs only once must not look like a leak.
        asyncio.run(warm_up(master))
        yield master


async def warm_up(master: Master) -> None:
    assert (await master.ask("POST", CONFIGMAPS, {"metadata": {"name": "warm"}})).status == 201
    for way in (plain, silent, half_a_head, half_a_body, half_a_joining):
        for _, writer in await opened(master, [way] * 200):
            writer.transport.abort()


@pytest.fixture(autouse=True)
async def unharmed(master: Master) -> AsyncIterator[None]:
    """After each test the API answers, has as many descriptors as before, and has logged no error."""
    assert (await master.ask("GET", "/readyz")).body == b"ok"
    before = await master.settled()
    yield
    assert (await master.ask("GET", "/readyz")).body == b"ok"
    await master.descriptors_back_at(before)
    assert master.complaints() == []


async def plain(master: Master) -> Streams:
    return await asyncio.open_connection("127.0.0.1", master.port)


async def silent(master: Master) -> Streams:
    return await master.connect(master.anonymous)


async def half_a_head(master: Master) -> Streams:
    reader, writer = await master.connect(master.anonymous)
    writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    return reader, writer


async def half_a_body(master: Master) -> Streams:
    reader, writer = await master.connect()
    writer.write(head("POST", CONFIGMAPS, 1000) + b'{"metadata":')
    return reader, writer


async def half_a_joining(master: Master) -> Streams:
    """An unknown client with an invalid token."""
    reader, writer = await master.connect(master.anonymous)
    writer.write(b"POST /sampan/v1/join HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nContent-Length: 9\r\n\r\n{")
    return reader, writer


async def opened(master: Master, ways: list[Callable[[Master], Awaitable[Streams]]]) -> list[Streams]:
    """Opens all connections, twenty at a time, so that no handshake reaches the server's time limit."""
    connections: list[Streams] = []
    for first in range(0, len(ways), 20):
        connections += await asyncio.gather(*(way(master) for way in ways[first : first + 20]))
    return connections


async def trickle(streams: list[Streams]) -> None:
    """Sends a byte on each connection every 0.2 s until it is closed."""
    while True:
        for _, writer in streams:
            if not writer.is_closing():
                writer.write(b"x")
        await asyncio.sleep(0.2)


async def ended(streams: Streams) -> bytes:
    """Everything that the server sends before it closes the connection."""
    reader, writer = streams
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except (ConnectionError, ssl.SSLError):
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "ways",
    [
        pytest.param([plain], id="no TLS hello"),
        pytest.param([silent, half_a_head, half_a_body, half_a_joining], id="no request, half a head, half a body"),
    ],
)
async def test_a_thousand_stalled_connections_delay_no_other_client_and_are_closed(
    master: Master, ways: list[Callable[[Master], Awaitable[Streams]]]
) -> None:
    descriptors, resident = await master.settled(), master.resident_bytes()
    all_ways = ways * (THOUSAND // len(ways))
    streams = await opened(master, all_ways)
    slow = [connection for connection, way in zip(streams, all_ways, strict=True) if way is half_a_head]
    trickling = asyncio.create_task(trickle(slow))
    for number in range(10):
        body = {"metadata": {"name": f"{len(ways)}-{number}"}}
        assert (await master.ask("POST", CONFIGMAPS, body)).status == 201
    replies = await asyncio.gather(*map(ended, streams))
    trickling.cancel()
    assert all(b"HTTP/1.1 408" in reply for reply, way in zip(replies, all_ways, strict=True) if way is half_a_body)
    await master.descriptors_back_at(descriptors)
    await master.memory_back_at(resident + LEAK_BYTES)


async def test_a_body_that_does_not_end_gets_408_and_the_connection_is_closed(master: Master) -> None:
    async def begun(method: str, path: str) -> None:
        reader, writer = await master.connect()
        writer.write(head(method, path, 1000) + b"{")
        reply = await answer(reader)
        assert (reply.status, reply.json["kind"], reply.json["reason"]) == (408, "Status", "Timeout")
        assert "2 s" in reply.json["message"]
        assert await ended((reader, writer)) == b"", "the connection is closed"

    await asyncio.gather(begun("POST", CONFIGMAPS), *(begun(way, f"{CONFIGMAPS}/x") for way in ("PUT", "DELETE")))


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_a_body_of_100_mb_is_refused_and_not_kept(master: Master, declared: bool) -> None:
    await master.ask("POST", CONFIGMAPS, {"metadata": {"name": "x"}, "data": {"a": "x" * (4 << 20)}})
    before = master.resident_bytes()
    reader, writer = await master.connect()
    length = "Content-Length: 100000000" if declared else "Transfer-Encoding: chunked"
    writer.write(f"POST {CONFIGMAPS} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())

    async def sent() -> None:
        piece = b"x" * 1_000_000
        for _ in range(100):
            writer.write(piece if declared else b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()

    sending = asyncio.create_task(sent())
    reply = await answer(reader)
    assert (reply.status, reply.json["reason"]) == (413, "RequestEntityTooLarge")
    await ended((reader, writer))
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        await sending
    assert master.resident_bytes() - before < 20_000_000


@pytest.mark.parametrize(
    "hello",
    [
        pytest.param(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n", id="plain HTTP"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 without TLS"),
        pytest.param(b"\x80\x2e\x01\x03\x00\x00\x15\x00\x00\x00\x10" + b"\x01\0\x80" * 7 + b"x" * 16, id="SSLv2 hello"),
        pytest.param(b"\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00" + b"x" * 32 + b"\0\0\x02\0\x0a\x01\0", id="SSLv3"),
        pytest.param(b"\x16\x03\x01\xff\xff" + b"\0" * 70_000, id="a record that is too long"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
        pytest.param(bytes(range(256)) * 4, id="noise"),
    ],
)
async def test_a_connection_without_tls_is_closed_at_once(master: Master, hello: bytes) -> None:
    reader, writer = await plain(master)
    writer.write(hello)
    assert len(await ended((reader, writer))) < 100


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 preface"),
        pytest.param(b"NONSENSE\r\n\r\n", id="no request line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X-Y: z\r\n" * 5000 + b"\r\n", id="thousands of headers"),
        pytest.param(b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", id="a path without end"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", id="a header without end"),
        pytest.param(b"\0" * 1000, id="zeros"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="TLS in TLS"),
    ],
)
async def test_malformed_http_gets_400_and_is_closed(master: Master, request_: bytes) -> None:
    reader, writer = await master.connect()
    writer.write(request_)
    reply = await ended((reader, writer))
    assert not reply or reply.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), reply[:100]


async def changes(master: Master, count: int, *, clients: int, size: int) -> None:
    """Makes `count` changes. Each client changes its own config map, one change after the other."""
    reader_writers = [await master.connect() for _ in range(clients)]

    async def change(number: int, streams: Streams) -> None:
        reader, writer = streams
        for turn in range(count // clients):
            body = json.dumps({"data": {"k": f"{turn:{size}}"}}).encode()
            writer.write(head("PATCH", f"{CONFIGMAPS}/w{number}", len(body), "application/merge-patch+json") + body)
            assert (await answer(reader)).status == 200
        writer.transport.abort()

    await asyncio.gather(*(change(number, streams) for number, streams in enumerate(reader_writers)))


async def watching(master: Master, query: str = "") -> Streams:
    """Starts a watch and reads only the headers of the response."""
    reader, writer = await master.connect()
    writer.write(f"GET {CONFIGMAPS}?watch=1{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    transport: Any = writer.transport
    transport.pause_reading()
    return reader, writer


async def read_changes(streams: Streams, expected: int) -> int:
    """Reads a watch until it has reported this number of changes. Returns the number."""
    reader, writer = streams
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    count = 0
    async with asyncio.timeout(100):
        while count < expected:
            count += (await reader.readline()).count(b'"type":"MODIFIED"')
    writer.transport.abort()
    return count


async def test_watches_whose_client_never_reads_are_closed_and_others_get_all_changes(
    master: Master, request: pytest.FixtureRequest
) -> None:
    # Without --long: fewer changes with as many bytes.
    total, size = (10_000, 1000) if request.config.getoption("--long", default=False) else (3200, 4000)
    clients = 8
    for number in range(clients):
        assert (await master.ask("POST", CONFIGMAPS, {"metadata": {"name": f"w{number}"}})).status == 201
    before, descriptors = master.resident_bytes(), await master.settled()
    stuck = [await watching(master) for _ in range(100)]
    reading = asyncio.create_task(read_changes(await watching(master), total))
    most = 0

    async def measure() -> None:
        nonlocal most
        while True:
            most = max(most, master.resident_bytes() - before)
            await asyncio.sleep(0.05)

    measuring = asyncio.create_task(measure())
    await changes(master, total, clients=clients, size=size)
    assert await reading == total
    # The server has closed all watches although no client has read or closed one.
    await master.descriptors_back_at(descriptors)
    measuring.cancel()
    # The history keeps the changes, so that watches can continue.
    await master.memory_back_at(before + LEAK_BYTES + total * size)
    # Buffering all changes for each watch would take more than a gigabyte.
    assert most < 200 << 20
    for _, writer in stuck:
        writer.transport.abort()
