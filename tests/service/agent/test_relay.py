"""The relay with real sockets: bytes both ways, ends and failures, ports that are taken, bounds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from itertools import count

import pytest

from agent.relay.copying import PIECE_BYTES, reset_on_close
from agent.relay.relay import RETRY_S, Relay
from netstack.desired import HostPort, PublishedPort
from tests.fakes.listening import Serve, listening
from tests.fakes.sessions import until
from tests.unit.agent.fakes import HandClock

pytestmark = pytest.mark.timeout(60)

PORT = 10_000 + os.getpid() % 20_000
"""A port of this process: one test takes it on all addresses, which must not disturb another run of these tests."""
_numbers = count(1)


class Bed:
    """A relay on an address of the loopback that no other test has."""

    def __init__(self, **options: int) -> None:
        self.address = IPv4Address(0x7F000000 + (os.getpid() % 0xFFFF + 1 << 8) + next(_numbers) % 256)
        self.clock = HandClock()
        self.problems: list[str] = []
        self.relay = Relay(self.clock, on_problem=self.problems.append, **options)

    def lead_to(self, port: int) -> None:
        host = HostPort("default/web", "tcp", PORT, port, self.address)
        self.relay.serve([], [PublishedPort(host, IPv4Address("127.0.0.1"))])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.relay.run())
            yield
            task.cancel()

    @asynccontextmanager
    async def serving(self, serve: Serve) -> AsyncIterator[None]:
        """The relay runs, and leads to a server."""
        async with listening(serve) as port, self.running():
            self.lead_to(port)
            await until(lambda: self.relay.open_ports)
            yield

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(str(self.address), PORT)

    async def is_reset(self, sent: bytes = b"") -> bool:
        """Whether a connection ends by a reset, perhaps before it is used."""
        try:
            reader, writer = await self.connect()
        except ConnectionResetError:
            return True
        try:
            writer.write(sent)
            await reader.read()
        except ConnectionResetError:
            return True
        finally:
            writer.transport.abort()
        return False

    async def is_refused(self) -> bool:
        try:
            _, writer = await self.connect()
        except ConnectionRefusedError:
            return True
        writer.transport.abort()
        return False


@pytest.fixture
def bed() -> Bed:
    return Bed()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what comes, until its end; then says so."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"end")
    await writer.drain()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends its side at once, and answers nothing."""
    writer.write(b"hello")
    writer.write_eof()
    assert await reader.read() == b"still here"


async def test_bytes_arrive_whole_both_ways_and_the_end_of_one_side_leaves_the_other_open(bed: Bed) -> None:
    data = os.urandom(8 << 20)
    async with bed.serving(echo):
        reader, writer = await bed.connect()

        async def send() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        _, received = await asyncio.gather(send(), reader.read(-1))
        assert received == data + b"end"
        writer.close()


async def test_the_client_may_go_on_after_the_server_has_ended_its_side(bed: Bed) -> None:
    async with bed.serving(greet):
        reader, writer = await bed.connect()
        assert await reader.read(-1) == b"hello"
        writer.write(b"still here")
        writer.write_eof()
        writer.close()


async def test_many_connections_at_once(bed: Bed) -> None:
    async def one(number: int) -> None:
        reader, writer = await bed.connect()
        writer.write(b"%d" % number)
        writer.write_eof()
        assert await reader.read(-1) == b"%dend" % number
        writer.close()

    async with bed.serving(echo):
        await asyncio.gather(*(one(number) for number in range(100)))


async def test_a_target_that_refuses_resets_the_client(bed: Bed) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        async with bed.running():
            bed.lead_to(silent.getsockname()[1])
            await until(lambda: bed.relay.open_ports)
            assert await bed.is_reset()


async def test_a_reset_of_one_side_is_passed_on(bed: Bed) -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        reset_on_close(writer.get_extra_info("socket"))
        writer.transport.abort()

    async with bed.serving(fail):
        assert await bed.is_reset(b"x")


async def test_a_server_that_does_not_read_stops_the_client(bed: Bed) -> None:
    forever = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await forever.wait()

    async with bed.serving(deaf):
        with socket.create_connection((str(bed.address), PORT)) as client:
            client.setblocking(False)
            sent, quiet = 0, 0
            while quiet < 200:
                try:
                    sent += client.send(bytes(PIECE_BYTES))
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                    await asyncio.sleep(0)
                assert sent < 64 << 20, "nothing stops the client"
        forever.set()


async def test_a_copy_lets_other_tasks_run(bed: Bed) -> None:
    """Both ends are always ready, and the copy still gives other tasks a turn for each piece."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 20):
            pass

    pieces = 256

    def send() -> None:
        with socket.create_connection((str(bed.address), PORT)) as client:
            client.sendall(bytes(pieces * PIECE_BYTES))
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""

    async with bed.serving(swallow):
        task = asyncio.create_task(other())
        await asyncio.to_thread(send)
        task.cancel()
    assert turns > pieces


def taken(address: str) -> socket.socket:
    return socket.create_server((address, PORT))


@pytest.mark.parametrize("everywhere", [False, True], ids=["the same address", "all addresses"])
async def test_a_taken_port_is_reported_once_and_opened_when_it_is_free(bed: Bed, everywhere: bool) -> None:
    async with listening(echo) as port, bed.running():
        with taken("0.0.0.0" if everywhere else str(bed.address)):
            bed.lead_to(port)
            text = f'can\'t open port "hostPort for default/web" ({bed.address}:{PORT}/tcp): address already in use'
            await until(lambda: bed.problems == [text])
            for _ in range(3):
                await bed.clock.advance(RETRY_S)
            assert bed.problems == [text]
            assert bed.relay.open_ports == frozenset()
        await bed.clock.advance(RETRY_S)
        await until(lambda: bed.relay.open_ports)
        assert not await bed.is_refused()


async def test_no_other_program_can_listen_on_a_port_of_the_relay(bed: Bed) -> None:
    async with bed.serving(echo):
        for address in (str(bed.address), "0.0.0.0"):
            with pytest.raises(OSError, match="in use"), taken(address):
                pytest.fail("the port is free")


async def test_a_port_that_goes_is_closed_and_its_connections_go_on(bed: Bed) -> None:
    async with bed.serving(echo):
        reader, writer = await bed.connect()
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        bed.relay.serve([], [])
        await until(lambda: not bed.relay.open_ports)
        assert await bed.is_refused()
        writer.write(b"after")
        assert await reader.readexactly(5) == b"after"
        writer.transport.abort()


async def test_a_port_that_leads_elsewhere_stays_open(bed: Bed) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"other")
        await writer.drain()

    async with bed.serving(echo), listening(other) as port:
        bed.lead_to(port)
        reader, writer = await bed.connect()
        assert await reader.read(-1) == b"other"
        writer.close()


async def test_more_connections_than_allowed_are_reset_and_the_others_are_not() -> None:
    bed = Bed(max_connections=4)  # of which one port has half
    async with bed.serving(echo):
        kept = [await bed.connect() for _ in range(2)]
        for reader, writer in kept:
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
        assert await bed.is_reset()
        for reader, writer in kept:
            writer.write(b"y")
            assert await reader.readexactly(1) == b"y"
            writer.transport.abort()


async def test_without_free_file_descriptors_the_port_is_closed_and_opened_later(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bed.serving(echo):

        def refuse(self: socket.socket) -> tuple[socket.socket, object]:
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "accept", refuse)
            client = socket.create_connection((str(bed.address), PORT))
            await until(lambda: bed.problems)
            assert "too many open files" in bed.problems[0]
            client.close()
        await bed.clock.advance(RETRY_S)
        await until(lambda: bed.relay.open_ports)
        assert not await bed.is_refused()


async def test_the_end_of_the_relay_ends_its_connections_and_frees_its_ports(bed: Bed) -> None:
    async with listening(echo) as port:
        async with bed.running():
            bed.lead_to(port)
            await until(lambda: bed.relay.open_ports)
            reader, writer = await bed.connect()
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.transport.abort()
        assert await bed.is_refused()


async def test_one_port_does_not_take_all_connections() -> None:
    bed = Bed(max_connections=4)
    async with listening(echo) as port, bed.running():
        target = IPv4Address("127.0.0.1")
        names = {PORT: "default/greedy", PORT + 1: "default/other"}
        ports = [HostPort(name, "tcp", number, port, bed.address) for number, name in names.items()]
        bed.relay.serve([], [PublishedPort(each, target) for each in ports])
        await until(lambda: len(bed.relay.open_ports) == 2)
        kept = [await bed.connect() for _ in range(2)]
        assert await bed.is_reset(), "the first port has its half"
        reader, writer = await asyncio.open_connection(str(bed.address), PORT + 1)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        for _, each in (*kept, (reader, writer)):
            each.transport.abort()
