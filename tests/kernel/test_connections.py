"""An agent's connections to ports inside of a pod's network namespace, and only of that one."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address, IPv6Address

import pytest

from agent.connections import LOOPBACKS, CannotConnect, Connection, Place, connected
from agent.runtime.process import Channel

ADDRESS = IPv4Address("10.244.0.5")
PORT = 7000


@contextmanager
def pod(where: str, host: str = "127.0.0.1") -> Iterator[Place]:
    """A process that echoes at the port in the namespace, which has the pod's address."""
    enter = ("nsenter", f"--net=/run/netns/{where}")
    subprocess.run([*enter, "ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"], check=True)
    script = f"""
import os, socket
family = socket.AF_INET6 if ":" in "{host}" else socket.AF_INET
with socket.create_server(("{host}", {PORT}), family=family) as server:
    print("ready", flush=True)
    while True:
        peer, _ = server.accept()
        while data := peer.recv(1 << 16):
            peer.sendall(data)
        peer.sendall(b"end")
        peer.close()
"""
    process = subprocess.Popen([*enter, "python3", "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield Place(process.pid, ADDRESS)
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def inside(place: Place) -> AsyncIterator[Connection]:
    async with connected(LOOPBACKS, PORT, place) as connection:
        yield connection


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_directions_and_a_half_close(new_namespace: Callable[[], str], host: str) -> None:
    data = bytes(range(256)) * 4000
    with pod(new_namespace(), host) as place:
        async with inside(place) as connection:
            await connection.write(data)
            received = b""
            while len(received) < len(data):
                channel, piece = await connection.read() or (Channel.STDERR, b"")
                assert channel is Channel.STDOUT
                received += piece
            assert received == data
            await connection.close_input()
            assert await connection.read() == (Channel.STDOUT, b"end")
            assert await connection.read() is None


async def test_a_refused_connection_names_both_addresses(new_namespace: Callable[[], str]) -> None:
    with pod(new_namespace()) as place, pytest.raises(CannotConnect) as refused:
        async with connected(LOOPBACKS, PORT + 1, place):
            pass
    first, second = str(refused.value).split("; ")
    assert first == f"dial tcp4 127.0.0.1:{PORT + 1}: connect: connection refused"
    assert second.startswith(f"dial tcp6 [{IPv6Address(1)}]:{PORT + 1}: connect: ")


async def test_a_namespace_without_the_pods_address_is_another_pods(new_namespace: Callable[[], str]) -> None:
    """A pid may be that of another process meanwhile, even one of the host."""
    with pod(new_namespace()) as place:
        stranger = Place(place.pid, IPv4Address("10.244.0.6"))
        with pytest.raises(CannotConnect, match=r"the pod's network with 10\.244\.0\.6 is gone"):
            async with inside(stranger):
                pass


async def test_a_process_that_has_ended_has_no_network(new_namespace: Callable[[], str]) -> None:
    with pod(new_namespace()) as place:
        pass
    with pytest.raises(CannotConnect):
        async with inside(place):
            pass
