"""One life of a master on a disk: store, cache, pipeline and the server's handler, without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from msgspec.structs import replace

from master import bootstrap, cluster_api, kinds
from master.api.errors import ApiError
from master.api.identity import component
from master.api.patches.mergepatch import merge
from master.api.resources import Resources
from master.cache import Cache
from master.config import MasterConfig
from master.pki import Pki
from master.registry.registry import Registry
from master.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.masters import FakeJoin, FakeLogs
from tests.service.master.api.bad_input.conftest import MERGE, Direct
from tests.service.master.api.history.disk import FILE, HISTORY, CommitFault, Death, SteppedStore
from tests.service.master.api.history.record import Write
from tests.service.master.api.history.things import ADDRESSES, KINDS, NODE_PORTS, Json

T = TypeVar("T")
_ME = component("writer")
# Changes of each kind that a watch can start from: few, so that watches often have to start over.
_HISTORY = 60
# The chance of a commit to fail for an error of the disk.
_ERRORS = 0.01


class Lost(Exception):
    """The master died before it answered."""


class Line(AbstractStreamWriter):
    """The client's end of a watch, and the connection to it. A watch writes to both: the server's task, and the cache.

    `took` gets each part of the stream. `pause` returns when the client has read it. `full`: whether the client has not
    read what the connection holds; then the cache must wait for it.
    """

    def __init__(
        self,
        *,
        began: Callable[[], None],
        took: Callable[[bytes], None],
        pause: Callable[[], Awaitable[None]],
        full: Callable[[], bool],
    ) -> None:
        self._began = began
        self._took = took
        self._pause = pause
        self.full = full
        self.closed = False

    def take(self, data: bytes) -> None:
        if not self.closed:
            self._took(data)

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.take(bytes(chunk))
        await self._pause()

    async def write_eof(self, chunk: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, status_line: str, headers: Any) -> None:
        self._began()


class _Transport:
    """The connection of one watch. The administrator's certificate is that of `inner`."""

    ssl_context = peername = sockname = None

    def __init__(self, line: Line, inner: Any) -> None:
        self._line = line
        self.get_extra_info = inner.get_extra_info

    @property
    def transport(self) -> _Transport:
        return self

    def get_write_buffer_size(self) -> int:
        return 1 << 30 if self._line.full() else 0

    def is_closing(self) -> bool:
        return self._line.closed

    def write(self, data: bytes) -> None:
        """Gets one chunk of HTTP."""
        size, _, rest = data.partition(b"\r\n")
        assert len(rest) == int(size, 16) + 2
        self._line.take(rest[:-2])


@dataclass
class Process:
    """A running master. Everything that it does ends with its death."""

    death: Death
    store: SqliteStore
    resources: Resources
    direct: Direct
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    loaded: int

    @classmethod
    async def start(cls, death: Death | None, directory: Path, pki: Pki, fault: CommitFault | None) -> Process:
        """Raises Lost if it dies while it starts. Without a death, the store works in its own thread."""
        store: SqliteStore
        if death is None:
            store, death = await SqliteStore.open(directory / FILE, history=HISTORY), Death.never(directory)
        else:
            store = await SteppedStore.start(death, fault)
        config = MasterConfig(data_dir=directory, advertise_addresses=("192.0.2.1",))
        return await until(death, cls._start(store, death, config, pki))

    @classmethod
    async def _start(cls, store: SqliteStore, death: Death, config: MasterConfig, pki: Pki) -> Process:
        registry = kinds.registry(kinds.ServiceRanges(IPv4Network(ADDRESSES), NODE_PORTS))
        cache = await Cache.load(store, registry, history=_HISTORY)
        loaded, clock = cache.revision, FakeClock()
        resources = cluster_api.resources(store, cache, registry, clock=clock)
        server = cluster_api.server(config, resources, pki, FakeLogs(), FakeJoin(), clock=clock)
        await bootstrap.ensure(resources, config, port=6443)
        death.errors = _ERRORS
        return cls(death, store, resources, Direct(server, resources), server.handle, loaded)

    @property
    def revision(self) -> int:
        return self.resources.cache.revision

    @property
    def registry(self) -> Registry:
        return self.resources.registry

    async def request(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """The answer. Raises Lost."""
        media = MERGE if method == "PATCH" else "application/json"
        reply = await until(self.death, self.direct(method, path, body, media=media))
        return reply.status, reply.json

    async def inside(self, write: Write) -> tuple[int, Json]:
        """The same as a request, but by the typed way of the master's own components. Raises Lost."""
        try:
            return await until(self.death, self._inside(write))
        except ApiError as error:
            return error.code, error.status()

    async def _inside(self, write: Write) -> tuple[int, Json]:
        kind, key = KINDS[write.key.plural], write.key
        schema = kind.schema

        def typed(value: Json) -> Any:
            return kind.decode(json.dumps(value).encode())

        if write.verb == "create":
            obj = typed(write.body)
            made = await self.resources.create(_ME, kind, obj, namespace=key.namespace)
            return 201, json.loads(schema.encode(made))
        if write.verb == "patch":

            def patched(old: Any) -> Any:
                return typed(merge(json.loads(schema.encode(old)), write.body))

            changed = await self.resources.mutate(_ME, kind, key.namespace, key.name, patched)
            return 200, json.loads(schema.encode(changed))
        obj = typed(write.body)
        obj = replace(obj, metadata=replace(obj.metadata, name=key.name, namespace=key.namespace))
        subresource = "status" if write.verb == "status" else ""
        return 200, json.loads(schema.encode(await self.resources.update(_ME, kind, obj, subresource=subresource)))

    async def stream(self, path: str, line: Line) -> int:
        """Serves a watch until the client or the master ends it. Returns the status code. Raises Lost."""
        request: Any = self.direct._request("GET", path, b"", "")
        request._payload_writer, request._protocol = line, _Transport(line, request.transport)
        return (await until(self.death, self.handle(request))).status


async def until(death: Death, work: Awaitable[T]) -> T:
    """The result of the work. Raises Lost if the master dies before."""
    task = asyncio.ensure_future(work)
    dead = asyncio.ensure_future(death.dead.wait())
    try:
        await asyncio.wait((task, dead), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Lost
        return task.result()
    finally:
        task.cancel()
        dead.cancel()
        await asyncio.gather(task, dead, return_exceptions=True)
