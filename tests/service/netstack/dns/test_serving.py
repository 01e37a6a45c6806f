"""Servers, forwarder and process of cluster DNS over real sockets on loopback."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import cast

import pytest

from netstack.dns import feed, records, server
from netstack.dns.cluster import Endpoint, Service, Settings
from netstack.dns.forwarder import Forwarder, NoAnswer, Wishes
from netstack.dns.message import Edns, Message, Question, Rcode, Type, decode, encode
from netstack.dns.names import name_of
from netstack.dns.resolver import Resolver
from netstack.dns.server import serving
from netstack.dns.zone import Zone

LOOPBACK = "127.0.0.1"
OTHER = "127.0.0.2"
ROOT = Path(__file__).parents[4]
SETTINGS = Settings("cluster.local", IPv4Address(LOOPBACK), (IPv4Network("10.96.0.0/16"),))
WEB = Service("default", "web", IPv4Address("10.96.0.20"))
MANY = Service("default", "many", endpoints=tuple(Endpoint(IPv4Address("10.244.0.0") + n) for n in range(1, 200)))
OUTSIDE = Question(name_of("www.example.com"), Type.A)
FOUND = (records.a(OUTSIDE.name, IPv4Address("192.0.2.1"), 60),)


class _Datagrams(asyncio.DatagramProtocol):
    """A resolver that sends what `respond` makes of each query."""

    def __init__(self, respond: Callable[[Message], list[bytes]]) -> None:
        self._respond = respond

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        for response in self._respond(decode(data)):
            self._transport.sendto(response, client)


@asynccontextmanager
async def upstream(
    respond: Callable[[Message], list[bytes]], *, address: str = LOOPBACK, port: int = 0
) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(respond), local_addr=(address, port))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def answered(query: Message, **changes: object) -> Message:
    response = Message(query.id, query.questions, FOUND, response=True, recursion_available=True)
    return replace(response, **changes)  # type: ignore[arg-type]


async def ask(port: int, question: Question, *, edns: Edns | None = None) -> Message:
    loop = asyncio.get_running_loop()
    received: asyncio.Future[bytes] = loop.create_future()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            if not received.done():
                received.set_result(data)

        def error_received(self, error: Exception) -> None:
            if not received.done():
                received.set_exception(error)

    transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=(LOOPBACK, port))
    try:
        transport.sendto(encode(Message(7, (question,), recursion_desired=True, edns=edns)))
        async with asyncio.timeout(10):
            return decode(await received)
    finally:
        transport.close()


async def ask_by_tcp(port: int, *questions: Question) -> list[Message]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        for question in questions:
            query = encode(Message(7, (question,)))
            writer.write(len(query).to_bytes(2) + query)
        async with asyncio.timeout(10):
            return [decode(await reader.readexactly(int.from_bytes(await reader.readexactly(2)))) for _ in questions]
    finally:
        writer.close()


def zone() -> Zone:
    made = Zone(SETTINGS)
    made.put(WEB)
    made.put(MANY)
    return made


async def test_a_service_resolves_over_udp_and_tcp() -> None:
    question = Question(name_of("web.default.svc.cluster.local"), Type.A)
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port:
        assert (await ask(port, question)).answers[0].data == WEB.cluster_ip.packed  # type: ignore[union-attr]
        first, second = await ask_by_tcp(port, question, question)
        assert first.answers == second.answers
        assert len(first.answers) == 1


async def test_what_is_too_large_for_a_datagram_comes_over_tcp() -> None:
    question = Question(name_of("many.default.svc.cluster.local"), Type.A)
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port:
        assert (await ask(port, question)).truncated
        [whole] = await ask_by_tcp(port, question)
        assert len(whole.answers) == len(MANY.endpoints)


async def test_garbage_and_half_queries_do_not_stop_the_server() -> None:
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"\x00\x05hello\x00\xff12")
        writer.close()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(LOOPBACK, port))
        for data in (b"", b"x", b"\xff" * 600):
            transport.sendto(data)
        transport.close()
        assert (await ask(port, Question(name_of("web.default.svc.cluster.local"), Type.A))).rcode == 0
        assert await reader.read() == b""


async def test_a_client_that_reads_no_responses_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection does not count any more, so it must not be left open."""
    monkeypatch.setattr(server, "IDLE_S", 0.2)
    query = encode(Message(7, (Question(name_of("many.default.svc.cluster.local"), Type.A),)))
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port:
        with socket.create_connection((LOOPBACK, port)) as client:
            client.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                while True:
                    client.send(len(query).to_bytes(2) + query)
                    await asyncio.sleep(0)
            poller = select.poll()
            poller.register(client, 0)
            [(_, seen)] = await asyncio.to_thread(poller.poll, 20_000)
            assert seen & select.POLLHUP


async def test_one_client_cannot_take_all_connections() -> None:
    question = Question(name_of("web.default.svc.cluster.local"), Type.A)
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port, AsyncExitStack() as stack:
        for _ in range(server.MAX_PER_CLIENT):
            _, writer = await asyncio.open_connection(LOOPBACK, port, local_addr=(OTHER, 0))
            stack.callback(writer.close)
        reader, writer = await asyncio.open_connection(LOOPBACK, port, local_addr=(OTHER, 0))
        stack.callback(writer.close)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        assert len((await ask_by_tcp(port, question))[0].answers) == 1


async def test_a_port_that_is_free_for_tcp_only_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, tried = server._socket, [0]

    def in_use_at_first(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
        if kind is socket.SOCK_DGRAM:
            tried.append(port)
            if len(tried) == 2:
                raise OSError(errno.EADDRINUSE, "in use")
        return plain(kind, address, port)

    monkeypatch.setattr(server, "_socket", in_use_at_first)
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port:
        assert tried[2:] == [port]


async def test_two_servers_may_listen_at_once() -> None:
    resolver = Resolver(zone(), Forwarder())
    async with serving(resolver, LOOPBACK, 0) as port, serving(resolver, LOOPBACK, port) as second:
        assert second == port


async def test_other_names_go_to_the_resolvers_of_the_host() -> None:
    async with (
        upstream(lambda query: [encode(answered(query))]) as resolvers,
        serving(Resolver(zone(), Forwarder((LOOPBACK,), port=resolvers)), LOOPBACK, 0) as port,
    ):
        message = await ask(port, OUTSIDE, edns=Edns(1232))
        assert message.answers == FOUND


async def test_without_resolvers_other_names_are_refused() -> None:
    async with serving(Resolver(zone(), Forwarder()), LOOPBACK, 0) as port:
        assert (await ask(port, OUTSIDE)).rcode == Rcode.REFUSED


async def test_responses_to_something_else_are_ignored() -> None:
    """Another id, another question, no response at all: what somebody would send who guesses."""

    def respond(query: Message) -> list[bytes]:
        other = Question(name_of("other.example.com"), Type.A)
        bad = (records.a(OUTSIDE.name, IPv4Address("203.0.113.66"), 60),)
        return [
            b"garbage",
            encode(answered(query, id=query.id ^ 1, answers=bad)),
            encode(answered(query, questions=(other,), answers=bad)),
            encode(answered(query, response=False, answers=bad)),
            encode(answered(query)),
        ]

    async with upstream(respond) as port:
        response = await Forwarder((LOOPBACK,), port=port).ask(OUTSIDE, Wishes())
    assert response.answers == FOUND


async def test_a_truncated_response_is_asked_for_over_tcp() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = decode(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        content = encode(answered(query))
        writer.write(len(content).to_bytes(2) + content)
        writer.close()

    # TCP first: few sockets of UDP are in the way.
    async with await asyncio.start_server(serve, LOOPBACK, 0) as by_tcp:
        port = by_tcp.sockets[0].getsockname()[1]
        async with upstream(lambda query: [encode(answered(query, answers=(), truncated=True))], port=port):
            response = await Forwarder((LOOPBACK,), port=port).ask(OUTSIDE, Wishes())
    assert (response.answers, response.truncated) == (FOUND, False)


async def test_a_resolver_that_fails_is_followed_by_the_next_and_asked_last() -> None:
    asked: list[str] = []

    def failing(query: Message) -> list[bytes]:
        asked.append("failing")
        return [encode(answered(query, answers=(), rcode=Rcode.SERVFAIL))]

    def good(query: Message) -> list[bytes]:
        asked.append("good")
        return [encode(answered(query))]

    async with upstream(failing) as port, upstream(good, address=OTHER, port=port):
        forwarder = Forwarder((LOOPBACK, OTHER), port=port)
        assert (await forwarder.ask(OUTSIDE, Wishes())).answers == FOUND
    assert asked == ["failing", "good"]


async def test_a_silent_resolver_is_asked_last_from_then_on() -> None:
    asked: list[str] = []

    def silent(_: Message) -> list[bytes]:
        asked.append("silent")
        return []

    async with upstream(silent) as port, upstream(lambda query: [encode(answered(query))], address=OTHER, port=port):
        forwarder = Forwarder((LOOPBACK, OTHER), port=port, timeout_s=0.2)
        for _ in range(2):
            assert (await forwarder.ask(OUTSIDE, Wishes())).answers == FOUND
    assert asked == ["silent"]


async def test_resolvers_that_fail_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with upstream(lambda _: []) as port:
        pass
    forwarder = Forwarder((LOOPBACK, OTHER), port=port)
    for _ in range(5):
        with pytest.raises(NoAnswer):
            await forwarder.ask(OUTSIDE, Wishes())
    assert sorted(record.getMessage().split()[2] for record in caplog.records) == [LOOPBACK, OTHER]


async def test_a_lost_datagram_is_sent_again_to_the_only_resolver(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[int] = []

    def loses_the_first(query: Message) -> list[bytes]:
        asked.append(query.id)
        return [encode(answered(query))] if len(asked) > 1 else []

    async with upstream(loses_the_first) as port:
        response = await Forwarder((LOOPBACK,), port=port, timeout_s=0.3).ask(OUTSIDE, Wishes())
    assert response.answers == FOUND
    assert len(asked) == 2
    assert caplog.messages == [f"the resolver {LOOPBACK} does not answer: no response in time"]


async def test_a_resolver_that_fails_is_not_asked_again() -> None:
    asked: list[int] = []

    def fails(query: Message) -> list[bytes]:
        asked.append(query.id)
        return [encode(answered(query, answers=(), rcode=Rcode.SERVFAIL))]

    async with upstream(fails) as port:
        response = await Forwarder((LOOPBACK,), port=port).ask(OUTSIDE, Wishes())
    assert (response.rcode, len(asked)) == (Rcode.SERVFAIL, 1)


async def test_the_failure_of_all_resolvers_is_passed_on() -> None:
    async with upstream(lambda query: [encode(answered(query, answers=(), rcode=Rcode.REFUSED))]) as port:
        response = await Forwarder((LOOPBACK,), port=port).ask(OUTSIDE, Wishes())
        assert response.rcode == Rcode.REFUSED
    with pytest.raises(NoAnswer):
        await Forwarder((LOOPBACK,), port=port).ask(OUTSIDE, Wishes())


@asynccontextmanager
async def process() -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The process, when it answers, and its port."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "netstack.dns", "--port", "0", "--linger", "0.5",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        for line in (SETTINGS, WEB, feed.Complete()):
            child.stdin.write(feed.encode(line))
        async with asyncio.timeout(30):
            ready = (await child.stdout.readline()).split()
        assert ready[0] == b"READY"
        yield child, int(ready[1])
    finally:
        child.stdin.close()
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_the_process_follows_its_feed_until_it_is_stopped() -> None:
    question = Question(name_of("web.default.svc.cluster.local"), Type.A)
    async with process() as (child, port):
        assert child.stdin is not None
        assert len((await ask(port, question)).answers) == 1
        child.stdin.write(feed.encode(feed.Remove(WEB.key)))
        await child.stdin.drain()
        async with asyncio.timeout(10):
            while (await ask(port, question)).rcode != Rcode.NXDOMAIN:
                pass
        child.stdin.write(feed.encode(feed.Stop()))
        async with asyncio.timeout(10):
            assert await child.wait() == 0


async def test_the_process_goes_on_for_a_while_when_its_agent_ends() -> None:
    async with process() as (child, port):
        assert child.stdin is not None
        child.stdin.close()
        await child.stdin.wait_closed()
        assert len((await ask(port, Question(name_of("web.default.svc.cluster.local"), Type.A))).answers) == 1
        async with asyncio.timeout(30):
            assert await child.wait() == 0


async def test_the_process_imports_the_standard_library_only() -> None:
    """Each node pays for its memory."""
    text = "import sys, netstack.dns.process; print(*{name.partition('.')[0] for name in sys.modules})"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", text, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
    )
    output, _ = await child.communicate()
    foreign = set(output.decode().split()) - sys.stdlib_module_names - {"__mp_main__"}
    assert {name for name in foreign if not name.startswith(("_", "sitecustomize"))} == {"netstack"}


async def test_the_process_does_without_openssl() -> None:
    """Each node pays for its memory."""
    async with process() as (child, _):
        maps = Path(f"/proc/{child.pid}/maps").read_text()
        assert "libcrypto" not in maps
