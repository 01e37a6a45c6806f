"""Forwarded ports by SPDY, with bytes that a kubectl would not send, or only now and then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import aiohttp
import pytest

from master.api.remote.spdy import connection
from tests import spdyclient
from tests.fakes.listening import echo, listening
from tests.fakes.processbed import POD, Bed
from tests.fakes.rawspdy import Raw, connected
from tests.fakes.sessions import until
from tests.spdyclient import FIN, SpdyClient, data

pytestmark = pytest.mark.timeout(30)

PROTOCOL = "portforward.k8s.io"
SYN_REPLY, RST_STREAM = 2, 3


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that echoes."""
    async with listening(echo) as port:
        yield port


@pytest.fixture
def numbers() -> Iterator[int]:
    """Of streams."""
    return count(1, 2)


async def opened(raw: Raw, numbers: Iterator[int], port: int, request: str = "") -> tuple[int, int]:
    """The streams of a new connection: for an error, and for the bytes. Without `request` as an old client does it."""
    error, bytes_ = next(numbers), next(numbers)
    more = {"requestid": request} if request else {}
    for stream_id, kind in ((error, "error"), (bytes_, "data")):
        await raw.send(raw.spdy.open(stream_id, {"streamtype": kind, "port": str(port), **more}))
    return error, bytes_


async def test_connections_side_by_side_and_their_ends(bed: Bed, port: int, numbers: Iterator[int]) -> None:
    async with connected(bed, "", PROTOCOL, verb="portforward") as raw:
        assert f"X-Stream-Protocol-Version: {PROTOCOL}" in raw.head
        pairs = [await opened(raw, numbers, port, request) for request in ("a", "b")] + [
            await opened(raw, numbers, port)
        ]
        for error, number in reversed(pairs):
            await raw.send(data(error, b"", flags=FIN) + data(number, b"to %d" % number) + data(number, b"", flags=FIN))
        await raw.receive(lambda: all(raw.ended(number) for pair in pairs for number in pair))
        assert {number: raw.received(number) for _, number in pairs} == {n: b"to %d" % n for _, n in pairs}
        assert not any(raw.received(error) for error, _ in pairs) and not raw.kinds(RST_STREAM)
    await until(lambda: not bed.agent.machine.connections)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"streamtype": "data", "requestid": "1"}, id="no port"),
        pytest.param({"streamtype": "data", "requestid": "1", "port": "0"}, id="port zero"),
        pytest.param({"streamtype": "data", "requestid": "1", "port": "70000"}, id="port too large"),
        pytest.param({"streamtype": "data", "requestid": "1", "port": "http"}, id="port with a name"),
        pytest.param({"requestid": "1", "port": "80"}, id="no type"),
        pytest.param({"streamtype": "stdin", "requestid": "1", "port": "80"}, id="another type"),
    ],
)
async def test_streams_with_wrong_headers_are_reset(
    bed: Bed, port: int, numbers: Iterator[int], headers: dict[str, str]
) -> None:
    async with connected(bed, "", PROTOCOL, verb="portforward") as raw:
        wrong = next(numbers)
        await raw.send(raw.spdy.open(wrong, headers))
        _, number = await opened(raw, numbers, port, "2")
        await raw.send(data(number, b"x"))
        await raw.receive(lambda: raw.received(number))
        assert raw.kinds(RST_STREAM) == [wrong] and wrong not in raw.kinds(SYN_REPLY)


async def test_a_connection_that_the_client_resets_is_closed_and_leaves_nothing(
    bed: Bed, port: int, numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_STREAMS", 4)
    async with connected(bed, "", PROTOCOL, verb="portforward") as raw:
        for request in range(6):
            await reset_by_client(bed, raw, await opened(raw, numbers, port, str(request)), after_end=bool(request % 2))
        assert not raw.kinds(RST_STREAM)


async def test_a_server_that_waits_does_not_keep_a_connection_that_was_reset(bed: Bed, numbers: Iterator[int]) -> None:
    async def idle(*_: object) -> None:
        await asyncio.Event().wait()

    async with listening(idle) as port, connected(bed, "", PROTOCOL, verb="portforward") as raw:
        error, number = await opened(raw, numbers, port, "1")
        await raw.send(data(number, b"", flags=FIN))
        await until(lambda: bed.agent.machine.connections)
        await raw.send(spdyclient.reset(number))
        await until(lambda: not bed.agent.machine.connections)
        await raw.receive(lambda: raw.ended(error))


async def reset_by_client(bed: Bed, raw: Raw, streams: tuple[int, int], *, after_end: bool) -> None:
    """As kubectl does when its own client is gone. `after_end`: this one had sent all before."""
    error, number = streams
    await raw.send(data(error, b"", flags=FIN) + data(number, b"x"))
    await raw.receive(lambda: raw.received(number))
    await raw.send((data(number, b"", flags=FIN) if after_end else b"") + spdyclient.reset(number))
    await raw.receive(lambda: raw.ended(error))
    await until(lambda: not bed.agent.machine.connections)


async def test_a_second_stream_of_the_same_type_is_an_error_of_its_request(bed: Bed, numbers: Iterator[int]) -> None:
    async with connected(bed, "", PROTOCOL, verb="portforward") as raw:
        first, second = next(numbers), next(numbers)
        for number in (first, second):
            await raw.send(raw.spdy.open(number, {"streamtype": "error", "port": "80", "requestid": "1"}))
        await raw.receive(lambda: raw.ended(first))
        assert raw.received(first) == b"error processing stream for request 1: error stream already assigned"
    assert not bed.agent.machine.connection_requests


async def test_a_port_that_refuses_is_a_text_and_a_reset_and_others_go_on(
    bed: Bed, port: int, numbers: Iterator[int]
) -> None:
    async with listening(echo) as closed:
        pass
    async with connected(bed, "", PROTOCOL, verb="portforward") as raw:
        error, refused = await opened(raw, numbers, closed, "1")
        await raw.receive(lambda: raw.ended(error))
        uid = bed.agent.machine.connection_requests[0].uid
        why = f"dial tcp 127.0.0.1:{closed}: connect: connection refused"
        assert raw.received(error).decode() == f"error forwarding port {closed} to pod web, uid {uid}: {why}"
        assert raw.kinds(RST_STREAM) == [refused]
        _, number = await opened(raw, numbers, port, "2")
        await raw.send(data(number, b"x"))
        await raw.receive(lambda: raw.received(number))


async def test_the_going_away_of_a_client_ends_its_connections(bed: Bed, port: int, numbers: Iterator[int]) -> None:
    async with connected(bed, "", PROTOCOL, verb="portforward") as raw:
        await opened(raw, numbers, port, "1")
        await until(lambda: bed.agent.machine.connections)
        await raw.send(spdyclient.GOAWAY)
        await raw.receive(lambda: False)
    assert raw.closed
    await until(lambda: not bed.agent.machine.connections)


async def test_spdy_in_a_websocket_however_its_messages_are_cut(bed: Bed, port: int) -> None:
    spdy = SpdyClient()
    headers = {"port": str(port), "requestid": "0"}
    sent = spdy.open(1, {"streamtype": "error", **headers}) + spdy.open(3, {"streamtype": "data", **headers})
    sent += data(3, b"hello") + data(3, b"", flags=FIN)
    address = bed.client.url(f"{POD}/portforward")
    tunnel = "SPDY/3.1+portforward.k8s.io"
    async with bed.session.ws_connect(address, protocols=(tunnel,), ssl=bed.client.context) as socket:
        assert socket.protocol == tunnel
        for start in range(0, len(sent), 7):
            await socket.send_bytes(sent[start : start + 7])
        frames = []
        while not any(frame.stream_id == 3 and frame.flags & FIN for frame in frames):
            frames += spdy.frames(await socket.receive_bytes())
        assert b"".join(frame.payload for frame in frames if (frame.kind, frame.stream_id) == (0, 3)) == b"hello"
        await socket.send_str("a text ends nothing")
        await socket.send_bytes(spdyclient.ping(1))
        while not any(frame.kind == 6 for frame in frames):
            frames += spdy.frames(await socket.receive_bytes())


async def test_a_tunnel_of_another_protocol_is_refused(bed: Bed) -> None:
    address = bed.client.url(f"{POD}/portforward?ports=80")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with bed.session.ws_connect(address, protocols=("SPDY/3.1+v4.channel.k8s.io",), ssl=bed.client.context):
            pass
    assert refused.value.status == 400
