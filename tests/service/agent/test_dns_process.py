"""The node's DNS as its agent sees it: a process that follows, ends and starts again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.dnsprocess import DnsProcess
from agent.wire.names import DnsContent
from netstack.dns.cluster import Service, Settings
from netstack.dns.message import Message, Question, Rcode, Type, decode, encode
from netstack.dns.names import name_of
from tests.fakes.sessions import until

ADDRESS = IPv4Address("127.0.0.1")
WEB = Service("default", "web", IPv4Address("10.96.0.20"))
DB = Service("default", "db", IPv4Address("10.96.0.21"))

pytestmark = pytest.mark.timeout(60)


def content(*services: Service, address: IPv4Address = ADDRESS) -> DnsContent:
    return DnsContent(Settings("cluster.local", address), {service.key: service for service in services})


@pytest.fixture
def port() -> int:
    """A free port that the kernel gives to no client: a client that asks its own port would answer itself."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        number = random.randrange(max(1024, first - 12000), first)
        with (
            socket.socket() as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            suppress(OSError),
        ):
            stream.bind((str(ADDRESS), number))
            datagrams.bind((str(ADDRESS), number))
            return number


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dns.pid"


@asynccontextmanager
async def running(
    port: int,
    file: Path,
    resolvers: Callable[[], tuple[str, ...]] = tuple,
    *,
    linger_s: float = 0.5,
    on_problem: Callable[[str], None] = lambda problem: None,
) -> AsyncIterator[DnsProcess]:
    arguments = ("--port", str(port), "--linger", str(linger_s))
    dns = DnsProcess(resolvers, SystemClock(), file, on_problem=on_problem, arguments=arguments)
    task = asyncio.create_task(dns.run())
    try:
        yield dns
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def ask(port: int, name: str, *, address: IPv4Address = ADDRESS) -> Message:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect((str(address), port))
        client.send(encode(Message(7, (Question(name_of(f"{name}.default.svc.cluster.local"), Type.A),))))
        return decode(client.recv(4096))


async def answers(port: int, name: str, rcode: int, *, address: IPv4Address = ADDRESS) -> None:
    """Wait until the name has this answer."""

    def does() -> bool:
        with suppress(ConnectionRefusedError):
            return ask(port, name, address=address).rcode == rcode
        return False

    await until(does)


def pids(port: int) -> list[int]:
    """The processes with this port, but for those that have ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"netstack.dns" in words and str(port).encode() in words:
                found.append(int(path.parent.name))
    return found


async def test_it_answers_what_it_was_given_and_follows_changes(port: int, file: Path) -> None:
    async with running(port, file) as dns:
        dns.apply(content(WEB))
        await answers(port, "web", Rcode.NOERROR)
        assert ask(port, "db").rcode == Rcode.NXDOMAIN
        dns.apply(content(DB))
        await answers(port, "db", Rcode.NOERROR)
        await answers(port, "web", Rcode.NXDOMAIN)
        await dns.stop()
        assert pids(port) == []


async def test_a_process_that_is_killed_is_started_again(port: int, file: Path) -> None:
    problems: list[str] = []
    async with running(port, file, on_problem=problems.append) as dns:
        dns.apply(content(WEB))
        await answers(port, "web", Rcode.NOERROR)
        [first] = pids(port)
        os.kill(first, signal.SIGKILL)
        await until(lambda: pids(port) not in ([], [first]))
        await answers(port, "web", Rcode.NOERROR)
        assert problems == ["ended: without a message"]
        await dns.stop()


async def test_an_agent_that_restarts_leaves_no_gap_and_no_old_answers(port: int, file: Path) -> None:
    async with running(port, file, linger_s=120) as dns:
        dns.apply(content(WEB))
        await answers(port, "web", Rcode.NOERROR)
        before = pids(port)
    assert ask(port, "web").rcode == Rcode.NOERROR, "the process goes on without its agent"
    async with running(port, file) as dns:
        dns.apply(content(WEB, DB))

        def answers_until(reached: Callable[[], bool]) -> bool:
            assert ask(port, "web").rcode == Rcode.NOERROR
            return reached()

        await until(lambda: answers_until(dns.ready.is_set))
        await until(lambda: answers_until(lambda: not set(before) & set(pids(port))))
        assert ask(port, "db").rcode == Rcode.NOERROR
        await dns.stop()


@pytest.mark.parametrize("text", ["", "1 2 3", "x y", "1 1", "999999999 5", "-1 0"])
async def test_a_file_that_names_no_process_of_dns_changes_nothing(port: int, file: Path, text: str) -> None:
    file.write_text(text)
    async with running(port, file) as dns:
        dns.apply(content(WEB))
        await dns.ready.wait()
        assert int(file.read_text().split()[0]) in pids(port)
        await dns.stop()


async def test_a_node_that_leaves_ends_what_earlier_agents_have_left(port: int, file: Path) -> None:
    for services in ((), (WEB,)):
        async with running(port, file, linger_s=120) as dns:
            dns.apply(content(*services))
            await dns.ready.wait()
    assert pids(port)
    async with running(port, file) as dns:
        await dns.stop()
        await until(lambda: not pids(port))


async def test_an_agent_that_is_killed_at_the_start_of_its_process_leaves_one(port: int, file: Path) -> None:
    """The process may answer before its agent has noticed that."""
    async with running(port, file, linger_s=120) as dns:
        dns.apply(content(WEB))
        await dns.ready.wait()
        [first] = pids(port)
        _, started = file.read_text().split()
    file.write_text(f"1 1\n{first} {started}\n")
    async with running(port, file, linger_s=120) as dns:
        dns.apply(content(WEB))
        await dns.ready.wait()
        await until(lambda: first not in pids(port))
        assert [int(line.split()[0]) for line in file.read_text().splitlines()] == pids(port)
        await dns.stop()


async def test_an_agent_that_does_not_return_leaves_nothing(port: int, file: Path) -> None:
    async with running(port, file) as dns:
        dns.apply(content(WEB))
        await answers(port, "web", Rcode.NOERROR)
    await until(lambda: not pids(port))


async def test_another_address_is_answered_instead(port: int, file: Path) -> None:
    other = IPv4Address("127.0.0.2")
    async with running(port, file) as dns:
        dns.apply(content(WEB))
        await answers(port, "web", Rcode.NOERROR)
        dns.apply(content(WEB, address=other))
        await answers(port, "web", Rcode.NOERROR, address=other)
        with pytest.raises(ConnectionRefusedError):
            ask(port, "web")
        await dns.stop()


async def test_an_address_in_use_is_reported_once(port: int, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    problems: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((str(ADDRESS), port))
        async with running(port, file, on_problem=problems.append) as dns:
            dns.apply(content(WEB))
            await until(lambda: caplog.text.count("the node's DNS: [Errno 98]") >= 2)
            taken.close()
            await answers(port, "web", Rcode.NOERROR)
            await dns.stop()
    assert caplog.text.count("the process of the node's DNS ended: [Errno 98]") == 1
    assert problems == ["ended: [Errno 98] Address already in use"]


async def test_a_host_that_names_its_own_dns_as_its_resolver_makes_no_circle(port: int, file: Path) -> None:
    async with running(port, file, lambda: ("127.0.0.1",)) as dns:
        dns.apply(content(WEB))
        await answers(port, "web", Rcode.NOERROR)
        outside = Message(7, (Question(name_of("www.example.com"), Type.A),))

        def forward() -> Message:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.connect((str(ADDRESS), port))
                client.send(encode(outside))
                return decode(client.recv(4096))

        assert (await asyncio.to_thread(forward)).rcode == Rcode.REFUSED
        await dns.stop()
