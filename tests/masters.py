"""Fixtures that share one set of parts of a master: its certificates, a pipeline on the store in memory, its servers.

A conftest imports the fixtures that its tests use.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Never

import aiohttp
import pytest
import pytest_asyncio

from master import bootstrap, cluster_api, kinds
from master.api.errors import NodeUnreachable, Unauthorized
from master.api.identity import Caller, component
from master.api.resources import Resources
from master.cache import Cache
from master.config import MasterConfig
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.logs import LogOptions
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta
from master.pki import Pki
from master.store.memory import MemoryStore
from tests.fakes.clock import FakeClock
from tests.fakes.hostile import Bystander, RawPeer, bystander, revisions
from tests.fakes.sessions import CALLER, MasterEnd, master_end, prepare_pki

ME = component("test")
_PKI = "pki"
"""The directory of the keys and certificates below a master's data directory."""


@pytest.fixture
def me() -> Caller:
    return ME


@pytest.fixture
async def resources(tmp_path: Path) -> Resources:
    """A pipeline with the objects that every cluster has, and small ranges for services."""
    store = MemoryStore()
    registry = kinds.registry(kinds.ServiceRanges(IPv4Network("10.96.0.0/24"), range(30000, 30010)))
    cache = await Cache.load(store, registry, history=20)
    resources = cluster_api.resources(store, cache, registry, clock=FakeClock())
    await bootstrap.ensure(resources, MasterConfig(data_dir=tmp_path, advertise_addresses=("192.0.2.1",)), port=6443)
    return resources


class FakeLogs:
    """Each log has two lines, the first with the request. Node `lost` has no session; `breaks` fails after a line."""

    async def open(
        self, node: str, namespace: str, pod: str, uid: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        if node == "lost":
            raise NodeUnreachable(f"node {node} has no session")
        yield f"{node} {namespace}/{pod}/{container} tail={options.tail_lines}\n".encode()
        if node == "breaks":
            raise NodeUnreachable("the connection to node breaks was lost")
        yield b"second\n"


@dataclass(frozen=True)
class Joined:
    certificate: str = "cert"
    ca: str = "ca"
    cluster_id: str = "id"
    session_address: str = "192.0.2.1:6444"


class FakeJoin:
    """Accepts one join request, and refuses every dry run."""

    async def prospect(self, token: str, node_name: str, address: str, public_key: str) -> Never:
        raise Unauthorized("the bootstrap token is not known")

    async def join(self, token: str, node_name: str, csr_pem: str) -> Joined:
        assert (token, node_name, csr_pem) == ("abcdef.0123456789abcdef", "n1", "csr")
        return Joined()


@dataclass
class Reply:
    """A complete response."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A client of the server, with the administrator's certificate unless a request has another TLS context."""

    def __init__(self, session: aiohttp.ClientSession, base: str, pki: Pki, resources: Resources) -> None:
        self._session = session
        self._base = base
        self.port = int(base.rpartition(":")[2])
        self.pki = pki
        self.resources = resources
        self.context = self._context(certificate=True)
        self.anonymous = self._context(certificate=False)

    def _context(self, *, certificate: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.pki.ca_pem.decode())
        if certificate:
            context.load_cert_chain(self.pki.admin.certificate, self.pki.admin.key)
        return context

    def url(self, path: str) -> str:
        return self._base + path

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Reply:
        data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        sent = {"Content-Type": "application/json", **(headers or {})}
        url = self.url(path)
        async with self._session.request(method, url, data=data, headers=sent, ssl=context or self.context) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def watch(self, path: str, until: Callable[[list[Any]], bool], *, table: bool = False) -> list[Any]:
        """The events of a watch, until `until` is true or the server ends it."""
        events: list[Any] = []
        headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"} if table else {}
        url = self.url(path)
        async with asyncio.timeout(10), self._session.get(url, headers=headers, ssl=self.context) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                events.append(json.loads(line))
                if until(events):
                    break
            answer.close()
        return events


def new_pki(config: MasterConfig) -> Pki:
    """The certificates of a new master, with the same keys each time: making keys takes longer than most tests."""
    directory = config.data_dir / _PKI
    directory.mkdir(parents=True, mode=0o700)
    for name, content in _keys_and_certificates().items():
        (directory / name).touch(mode=0o600)
        (directory / name).write_bytes(content)
    return Pki.prepare(config)


@cache
def _keys_and_certificates() -> Mapping[str, bytes]:
    with TemporaryDirectory(prefix="sampan-pki-") as scratch:
        prepare_pki(Path(scratch))
        return {path.name: path.read_bytes() for path in Path(scratch, _PKI).iterdir()}


@pytest.fixture
def config(tmp_path: Path) -> MasterConfig:
    """The server's configuration. Some modules override it."""
    return MasterConfig(data_dir=tmp_path, listen_address="127.0.0.1", api_port=0, advertise_addresses=("192.0.2.1",))


@pytest.fixture
async def api(resources: Resources, config: MasterConfig) -> AsyncIterator[Client]:
    pki = new_pki(config)
    server = cluster_api.server(config, resources, pki, FakeLogs(), FakeJoin(), clock=FakeClock())
    running = asyncio.create_task(server.run(), name="server")
    ready = asyncio.create_task(server.ready.wait(), name="ready")
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        ready.cancel()
        await running
    async with aiohttp.ClientSession() as session:
        yield Client(session, f"https://127.0.0.1:{server.port}", pki, resources)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


@pytest_asyncio.fixture
async def other(master: MasterEnd, tmp_path: Path) -> AsyncIterator[Bystander]:
    async with bystander(master, tmp_path) as node:
        yield node


@pytest_asyncio.fixture
async def peer(master: MasterEnd, other: Bystander) -> AsyncIterator[RawPeer]:
    """A node `hostile` with a pod `web`, the other node with a pod `theirs`."""
    for name, node in (("web", "hostile"), ("theirs", "bystander")):
        pod = Pod(
            metadata=ObjectMeta(name=name, namespace="default"),
            spec=PodSpec(containers=(Container(name="app", image="app:1"),), node_name=node),
        )
        await master.resources.create(CALLER, kinds.POD, pod, namespace="default")
    async with RawPeer(await master.identity("hostile")) as raw:
        other.objects = revisions(master)
        yield raw
