"""A bare relay over the hops of a port-forward: the floor of its throughput. And the server in the pod that both reach.

`python -m tests.bench.areas.agent.relay front ...` accepts a websocket with TLS by aiohttp, as the master does, on
uvloop like the master. `back` connects to it by gRPC with TLS, as the agent does, and opens one call ahead; `front`
joins a websocket with a waiting call, and `back` then connects to the server. Both pass on the bytes of each message as
they are: no other messages, no credit, no checks. Certificates and keys are those of the cluster.

`serve` is the server: it reads how many bytes follow and how many it shall send, and does that.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc.aio
import uvloop
from aiohttp import WSMsgType, web

from agent.identity import files
from netstack import namespaces
from proto import contract

HEAD: Final = struct.Struct("<QQ")
"""The bytes that a client will send, and those that it wants."""
PIECE_BYTES: Final = contract.STREAM_CHUNK_BYTES
"""As the agent reads."""
_METHOD: Final = "/relay/Pass"

Read = Callable[[], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[object]]


async def _pass(read: Read, write: Write) -> None:
    """Until there are no more bytes."""
    while data := await read():
        await write(data)


# --- the master's place ----------------------------------------------------------------------------------------------


async def front(pki: Path, address: str, port: int, calls_port: int) -> None:
    waiting: asyncio.Queue[tuple[Any, asyncio.Event]] = asyncio.Queue()

    async def accept(_: Any, context: Any) -> None:
        ended = asyncio.Event()
        await waiting.put((context, ended))
        await ended.wait()

    certificate, key = pki / "server.crt", pki / "server.key"
    server = grpc.aio.server(options=contract.CHANNEL_LIMITS)
    handlers = {"Pass": grpc.stream_stream_rpc_method_handler(accept)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("relay", handlers),))
    pair = (key.read_bytes(), certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (pki / "ca.crt").read_bytes(), require_client_auth=True)
    server.add_secure_port(f"{address}:{calls_port}", credentials)
    await server.start()

    async def handle(request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        context, ended = await waiting.get()
        await context.write(b"go")
        passing = asyncio.create_task(_pass(lambda: _of_client(websocket), context.write))
        await _pass(lambda: _of_call(context), websocket.send_bytes)
        passing.cancel()
        ended.set()
        await websocket.close()
        return websocket

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    application = web.Application()
    application.router.add_get("/", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, address, port, ssl_context=tls).start()
    await server.wait_for_termination()


async def _of_client(websocket: web.WebSocketResponse) -> bytes:
    message = await websocket.receive()
    return message.data if message.type is WSMsgType.BINARY else b""


async def _of_call(call: Any) -> bytes:
    message = await call.read()
    return b"" if message is grpc.aio.EOF else bytes(message)


# --- the agent's place -----------------------------------------------------------------------------------------------


async def back(state_dir: Path, calls: str, namespace: Path, port: int) -> None:
    identity = files.load(state_dir)
    assert identity is not None, f"{state_dir}: no identity"
    credentials = grpc.ssl_channel_credentials(
        identity.ca.encode(), identity.key.encode(), identity.certificate.encode()
    )
    async with grpc.aio.secure_channel(calls, credentials, options=contract.CHANNEL_LIMITS) as channel:
        await channel.channel_ready()
        running = set()
        while True:
            call = channel.stream_stream(_METHOD)()
            await call.read()
            task = asyncio.create_task(_connect(call, namespace, port))
            running.add(task)
            task.add_done_callback(running.discard)


async def _connect(call: Any, namespace: Path, port: int) -> None:
    try:
        made = await asyncio.to_thread(_socket_in, namespace, port)
        await _join(call, *await asyncio.open_connection(sock=made, limit=PIECE_BYTES))
    finally:
        call.cancel()


async def _join(call: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    passing = asyncio.create_task(_pass(lambda: _of_call(call), write))
    await _pass(lambda: reader.read(PIECE_BYTES), call.write)
    await call.done_writing()
    await passing  # the other end has got everything
    writer.close()


def _socket_in(namespace: Path, port: int) -> socket.socket:
    made = namespaces.run_in(str(namespace), lambda: socket.create_connection(("127.0.0.1", port)))
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


# --- the server in the pod -------------------------------------------------------------------------------------------


def serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            with connection:
                _answer(connection)


def _answer(connection: socket.socket) -> None:
    coming, wanted = HEAD.unpack(connection.recv(HEAD.size, socket.MSG_WAITALL))
    while coming:
        coming -= len(connection.recv(min(coming, 1 << 20)))
    piece = bytes(PIECE_BYTES)
    for _ in range(wanted // PIECE_BYTES):
        connection.sendall(piece)


def main() -> None:
    parser = argparse.ArgumentParser()
    roles = parser.add_subparsers(dest="role", required=True)
    for role, arguments in _ROLES.items():
        one = roles.add_parser(role)
        for name, kind in arguments.items():
            one.add_argument(name, type=kind)
    options = vars(parser.parse_args())
    match options.pop("role"):
        case "front":
            uvloop.run(front(**options))
        case "back":
            asyncio.run(back(**options))
        case _:
            serve(**options)


_ROLES: Final[dict[str, dict[str, Callable[[str], object]]]] = {
    "front": {"pki": Path, "address": str, "port": int, "calls_port": int},
    "back": {"state_dir": Path, "calls": str, "namespace": Path, "port": int},
    "serve": {"port": int},
}

if __name__ == "__main__":
    main()
