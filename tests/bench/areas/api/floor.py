"""The floors: trivial handlers on the master's HTTP stack, aiohttp's low-level server on uvloop with the same TLS.

GET answers with the bytes that an earlier PUT gave to the path; below /stream, as a stream. POST decodes the body as
JSON, commits it durably through the master's own store, which groups commits, and answers with the bytes of the path.

`python -m tests.bench.areas.api.floor DATA_DIR PORT` runs until SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from pathlib import Path

import msgspec
import uvloop
from aiohttp import web

from master.config import MasterConfig
from master.pki import Pki
from master.store.interface import Compare, Put
from master.store.sqlite import SqliteStore

_WRITE_BYTES = 256 << 10
_STREAM = "/stream"


class Floor:
    """The handlers."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._bodies = {"/readyz": b"ok"}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if request.method == "GET":
            if path.startswith(_STREAM):
                return await self._stream(request, self._bodies[path])
            return web.Response(body=self._bodies[path], content_type="application/json")
        body = await request.content.read()
        if request.method == "PUT":
            self._bodies[path] = body
            return web.Response()
        key = "/registry/pods/" + msgspec.json.decode(body)["metadata"]["name"]
        await self._store.commit([Compare(key, 0)], [Put(key, body)])
        return web.Response(body=self._bodies[path], status=201, content_type="application/json")

    async def _stream(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/json"
        response.content_length = len(body)
        await response.prepare(request)
        for position in range(0, len(body), _WRITE_BYTES):
            await response.write(body[position : position + _WRITE_BYTES])
        return response


def _tls(pki: Pki) -> ssl.SSLContext:
    context = pki.server_context()
    # Like the API: no sessions are resumed.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    return context


async def serve(data_dir: Path, port: int) -> None:
    pki = Pki.prepare(MasterConfig(data_dir=data_dir, listen_address="127.0.0.1", api_port=port))
    store = await SqliteStore.open(data_dir / "store.db")
    server = web.Server(Floor(store).handle, handler_cancellation=True, access_log=None, auto_decompress=False)
    runner = web.ServerRunner(server, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=_tls(pki)).start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await runner.cleanup()
    await store.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
