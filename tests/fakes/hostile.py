"""Peers that violate the contract: raw bytes over the contract's TLS, and checks that they leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
import pytest

from agent.identity.files import Identity
from proto import contract
from proto.gen import observed_pb2, session_pb2
from tests.fakes.sessions import CLUSTER_ID, AgentEnd, MasterEnd, until

OWN = ("hostile", "10.0.0.66")
"""Parts of the keys that belong to the hostile peer's node."""
METHODS = ("Hello", "Heartbeat", "ReportPods", "ReportEvents", "ReportLeft", "RenewCertificate")


class RawPeer:
    """A channel with a node's certificate that sends and receives bytes. An async context manager."""

    def __init__(self, identity: Identity) -> None:
        credentials = grpc.ssl_channel_credentials(
            identity.ca.encode(), identity.key.encode() or None, identity.certificate.encode() or None
        )
        # The client has no limit, so that the server's limit is tested.
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.secure_channel(identity.session_address, credentials, options=options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close(None)

    async def call(self, method: str, raw: bytes) -> tuple[str, str | bytes]:
        """The name of the status with its message, or OK with the reply."""
        try:
            reply: bytes = await self.channel.unary_unary(f"/sampan.Master/{method}")(raw, timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or ""
        return "OK", reply

    async def first_of(self, method: str, raw: bytes) -> tuple[str, str | bytes]:
        """Like `call`, for the first message of a stream."""
        try:
            async for message in self.channel.unary_stream(f"/sampan.Master/{method}")(raw, timeout=20):
                return "OK", message
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or ""
        return "OK", b""

    async def hello(self, **change: Any) -> str:
        """Sends a valid Hello. Returns the session's id."""
        status, reply = await self.call("Hello", hello(**change).SerializeToString())
        assert status == "OK", reply
        assert isinstance(reply, bytes)
        return session_pb2.HelloReply.FromString(reply).session_id


def hello(*, machine: str = "machine-h", address: str = "10.0.0.66") -> session_pb2.HelloRequest:
    """A valid Hello."""
    return session_pb2.HelloRequest(
        protocol_version=contract.PROTOCOL_VERSION,
        cluster_id=CLUSTER_ID,
        node=observed_pb2.NodeInfo(machine_id=machine, address=address, hostname="hostile"),
        capacity=observed_pb2.Capacity(cpu_millis=1000, memory_bytes=1 << 30, pods=10),
    )


def tls(master: MasterEnd, identity: Identity, directory: Path) -> ssl.SSLSocket:
    """A TLS connection with the identity's certificate that has negotiated HTTP/2."""
    pair = directory / "hostile.pem"
    pair.write_text(identity.certificate + identity.key)
    context = ssl.create_default_context(cadata=identity.ca)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(pair)
    plain = socket.create_connection(("127.0.0.1", master.server.port), timeout=10)
    return context.wrap_socket(plain)


def read_to_end(connection: socket.socket) -> bytes:
    """All bytes until the other side closes the connection. The socket's timeout is the limit."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    return received


@dataclass(slots=True)
class Bystander:
    """Another node, which must not be affected."""

    master: MasterEnd
    agent: AgentEnd
    session_id: str
    objects: dict[str, int]

    def check(self, *, ignore: tuple[str, ...] = ()) -> None:
        """Checks that its session continues, and that only keys with a part in OWN or `ignore` were written."""
        current = self.master.sessions.current(self.agent.machine.name)
        assert current is not None and current.id == self.session_id
        written = {key for key, revision in revisions(self.master).items() if self.objects.get(key) != revision}
        assert not {key for key in written if not any(part in key for part in (*OWN, *ignore))}


def revisions(master: MasterEnd) -> dict[str, int]:
    """The revision of every key in the store, except events."""
    return {key: value.mod_revision for key, value in master.store._keys.items() if "/events/" not in key}


@asynccontextmanager
async def bystander(master: MasterEnd, directory: Path) -> AsyncIterator[Bystander]:
    """A running node with a session."""
    agent = AgentEnd(await master.identity("bystander"), directory)
    async with agent.running():
        await until(lambda: master.ready("bystander") == "True" and agent.desired.complete)
        session = master.sessions.current("bystander")
        assert session is not None
        yield Bystander(master, agent, session.id, revisions(master))


def descriptors() -> list[str]:
    """The files and sockets that this process has open."""
    targets = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            targets.append(str(entry.readlink()))
    return targets


def resident_bytes(pid: int) -> int:
    """Memory that the process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(pid: int) -> int:
    """The most memory that the process has ever held (VmHWM of proc_pid_status(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Checks that soon after the block there are no more tasks and descriptors than before."""
    tasks, files = len(asyncio.all_tasks()), descriptors()
    yield
    await _settle(tasks, files)


async def _settle(tasks: int, files: list[str]) -> None:
    try:
        async with asyncio.timeout(20):
            while True:
                if len(asyncio.all_tasks()) <= tasks and len(descriptors()) <= len(files):
                    return
                gc.collect()  # the traceback of an error keeps the call, which keeps its connection
                await asyncio.sleep(0.01)
    except TimeoutError:
        more = [task.get_name() for task in asyncio.all_tasks()]
        opened = sorted(set(descriptors()) - set(files))
        pytest.fail(f"tasks: {len(more)} instead of {tasks}: {more}; descriptors: {opened} beside {len(files)}")


@contextmanager
def told_within(caplog: pytest.LogCaptureFixture, lines: int, *, of: str = "") -> Iterator[None]:
    """Checks that the block logs at most `lines` warnings and errors, none of them long, each with the text `of`."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        yield
    # gRPC's own log is ignored: its server complains about peers that disconnect, as the test's hostile peers do.
    ours = [record for record in caplog.records if record.name.startswith(("agent", "master"))]
    warnings = [record for record in ours if record.levelno >= logging.WARNING]
    assert len(warnings) <= lines, caplog.text[:3000]
    for record in warnings:
        assert len(record.getMessage()) < 1200
        assert of in record.getMessage()


def mutated(message: bytes, chance: random.Random) -> bytes:
    """The bytes with one to four mutations: flipped bits; removed, inserted, doubled or overwritten bytes."""
    raw = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        offset = chance.randrange(len(raw) + 1)
        match chance.randrange(6):
            case 0 if raw:
                raw[offset % len(raw)] ^= 1 << chance.randrange(8)
            case 1:
                del raw[offset:]
            case 2:
                del raw[offset : offset + chance.randint(1, 8)]
            case 3:
                raw[offset:offset] = chance.randbytes(chance.randint(1, 12))
            case 4:
                raw[offset:offset] = raw[offset : offset + chance.randint(1, 64)]
            case _:
                raw[offset : offset + chance.randint(1, 10)] = bytes([chance.choice((0, 0x7F, 0x80, 0xFF))]) * 10
    return bytes(raw)
