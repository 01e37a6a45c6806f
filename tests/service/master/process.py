"""A real master on loopback in its own process, so that its memory and descriptors can be measured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.config import AgentConfig
from agent.identity.files import Identity
from agent.identity.join import Ticket, join
from client.kubeconfig import load_kubeconfig
from client.tls import context_for
from proto import contract
from tests.fakes.hostile import resident_bytes
from tests.fakes.sessions import TOKEN
from tests.masters import Reply

ROOT = Path(__file__).resolve().parents[3]
IDLE_S, REQUEST_S, STALLED_S = 3.0, 2.0, 2.0


@dataclass(frozen=True, slots=True)
class Master:
    """A running master. `admin` and `anonymous`: TLS with and without the administrator's certificate."""

    pid: int
    port: int
    session_port: int
    log: Path
    ca: bytes
    admin: ssl.SSLContext
    anonymous: ssl.SSLContext

    def resident_bytes(self) -> int:
        return resident_bytes(self.pid)

    def join(self, name: str, state_dir: Path) -> Identity:
        """Make a node of that name. Its sessions go to the loopback address. Blocks."""
        state_dir.mkdir()
        config = AgentConfig(state_dir=state_dir, node_name=name, master=f"https://127.0.0.1:{self.port}")
        key = x509.load_pem_x509_certificate(self.ca).public_key()
        ca_hash = contract.ca_hash(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        identity = join(config, Ticket(TOKEN, ca_hash), wait=False)
        return replace(identity, session_address=f"127.0.0.1:{self.session_port}")

    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def complaints(self) -> list[str]:
        """Lines of the log that no client should be able to cause."""
        words = ("Traceback", "Task exception", "never retrieved", "Unhandled", "ERROR", "CRITICAL", "failed")
        return [line for line in self.log.read_text().splitlines() if any(word in line for word in words)]

    async def connect(self, context: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context or self.admin, server_hostname="127.0.0.1"
        )

    async def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """A complete request on a new connection."""
        reader, writer = await self.connect()
        try:
            data = b"" if body is None else json.dumps(body).encode()
            writer.write(head(method, path, len(data)) + data)
            async with asyncio.timeout(20):
                return await answer(reader)
        finally:
            writer.transport.abort()

    async def descriptors_back_at(self, expected: int) -> None:
        """Waits until the master has exactly this number of descriptors."""
        for _ in range(600):
            if self.descriptors() == expected:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.descriptors()} descriptors, not {expected}")

    async def memory_back_at(self, limit: int) -> None:
        """Waits until the master uses at most this number of bytes. It trims its memory after 5, 10, 20 and 40 s."""
        for _ in range(1200):
            if self.resident_bytes() <= limit:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.resident_bytes() >> 20} MiB, not {limit >> 20}")

    async def settled(self) -> int:
        """The number of descriptors without open connections. Waits until it is stable, as closing takes a while."""
        counts: list[int] = []
        while len(counts) < 10 or len(set(counts[-10:])) > 1:
            counts.append(self.descriptors())
            await asyncio.sleep(0.02)
        return counts[-1]


def head(method: str, path: str, length: int, media: str = "application/json") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> Reply:
    """The next response on a connection."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(int(lines[0].split()[1]), headers, body)


def _ports(config: Path) -> tuple[int, int]:
    """The ports of an earlier master, or two free ones."""
    if config.exists():
        earlier = tomllib.loads(config.read_text())
        return earlier["api_port"], earlier["session_port"]
    with socket.socket() as api, socket.socket() as sessions:
        api.bind(("127.0.0.1", 0))
        sessions.bind(("127.0.0.1", 0))
        return api.getsockname()[1], sessions.getsockname()[1]


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Master]:
    """Starts a master with short time limits, and stops it. In the directory of an earlier one it keeps the ports."""
    config = directory / "master.toml"
    port, session_port = _ports(config)
    token = directory / "token"
    token.write_text(TOKEN)
    config.write_text(
        f'bootstrap_token_file = "{token}"\n'
        f'data_dir = "{directory}/data"\nlisten_address = "127.0.0.1"\n'
        f"api_port = {port}\nsession_port = {session_port}\n"
        f"idle_timeout_s = {IDLE_S}\nrequest_timeout_s = {REQUEST_S}\nstalled_timeout_s = {STALLED_S}\n"
    )
    log = directory / "log"
    with log.open("w") as file:
        # A low limit of descriptors, as many systems set it for services: fewer than these tests' clients need.
        few = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (512, r.getrlimit(r.RLIMIT_NOFILE)[1]))"
        start = f"{few}; import sys; from cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", start, "master", "--config", str(config)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        until = time.monotonic() + 30
        while not all(words in log.read_text() for words in ("serving the API", "sessions on")):
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        access = load_kubeconfig(directory / "data" / "admin.kubeconfig")
        assert access.authority is not None
        anonymous = ssl.create_default_context(cadata=access.authority.decode())
        yield Master(process.pid, port, session_port, log, access.authority, context_for(access), anonymous)
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
