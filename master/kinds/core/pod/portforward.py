"""The subresource `portforward` of pods: connections to ports inside of a pod, for clients by SPDY and by websocket.

Owns the choice of the transport, and what a failed connection means for the client. Rules and messages are those of the
kubelet's server (k8s.io/cri-streaming, pkg/streaming/portforward).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Protocol

from aiohttp import web

from master.api.errors import ApiError, BadRequest
from master.api.remote.multiplexer import Multiplexer
from master.api.remote.portchannels import PortChannels, PortData, ports_of
from master.api.remote.streampairs import Pair, Pairs
from master.api.remote.tasks import end_tasks
from master.api.remote.tcp import TcpConnection
from master.api.remote.tunnels import TUNNEL, Tunnel
from master.api.remote.upgrades import UpgradedConnection, is_spdy, negotiate, spdy_headers
from master.api.remote.websockets import is_websocket, offered
from master.api.rest.call import Call
from master.cache import Entry
from master.kinds.core.pod.connections import Connections, PodPort
from master.kinds.core.pod.model import Pod

PROTOCOLS = ("portforward.k8s.io",)


class Data(Protocol):
    """The bytes of one connection at the client's side."""

    async def read(self) -> bytes | None:
        """The next bytes; None: the client sends no more. Raises ConnectionError."""
        ...

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError."""
        ...


class PodPortForward:
    """Connects clients with ports of pods."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def connect(self, call: Call, entry: Entry) -> web.StreamResponse:
        """Raises ApiError only before the upgrade. Later errors concern one connection, and go to its error stream."""
        pod: Pod = entry.obj
        if not pod.spec.node_name:
            raise BadRequest(f"pod {pod.metadata.name} does not have a host assigned")
        http = call.http
        if is_websocket(http):
            if TUNNEL in offered(http):
                return await self._by_spdy(pod, await Tunnel.accept(http))
            ports = ports_of(call.query.texts("ports") or call.query.texts("port"))
            return await self._by_channels(pod, await PortChannels.accept(http, ports))
        if not is_spdy(http):
            raise BadRequest("Upgrade request required")
        upgraded = UpgradedConnection()
        await upgraded.accept(http, spdy_headers(negotiate(http, PROTOCOLS)))
        return await self._by_spdy(pod, upgraded)

    async def _by_spdy(self, pod: Pod, transport: Tunnel | UpgradedConnection) -> web.StreamResponse:
        """Until the client has gone away: then its connections end too."""
        multiplexer = Multiplexer(transport)
        multiplexer.start()
        async with aclosing(multiplexer), aclosing(Pairs(multiplexer)) as pairs:
            serving: set[asyncio.Task[None]] = set()
            try:
                while (pair := await pairs.next()) is not None:
                    task = asyncio.create_task(self._serve(pod, pair), name=f"port {pair.port} of {pod.metadata.name}")
                    serving.add(task)
                    task.add_done_callback(serving.discard)
            finally:
                await end_tasks(serving)
        return transport.response

    async def _serve(self, pod: Pod, pair: Pair) -> None:
        """One connection by SPDY, until one side has ended it. If it fails, the client can open others."""
        passing = asyncio.create_task(self._pass(pod, pair.port, pair.data), name="bytes of a port")
        lost = asyncio.create_task(pair.data.lost(), name="reset of a port")
        try:
            await asyncio.wait({passing, lost}, return_when=asyncio.FIRST_COMPLETED)
            with suppress(ConnectionError):
                if passing.done() and (error := passing.result()):
                    await pair.error.write(error.encode())
                    pair.data.reset()
        finally:
            await end_tasks({passing, lost})
            pair.end()

    async def _by_channels(self, pod: Pod, channels: PortChannels) -> web.StreamResponse:
        """Each port is connected at once, and only once. The websocket ends with the last of them."""
        receiving = asyncio.create_task(channels.receive(), name="client of a port-forward")
        serving = {
            asyncio.create_task(self._serve_channel(pod, channels, index, data), name=f"port {data.port}")
            for index, data in enumerate(channels.ports)
        }
        try:
            waiting = {receiving, *serving}
            while waiting - {receiving} and not receiving.done():
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks({receiving, *serving})
        await channels.aclose()
        return channels.response

    async def _serve_channel(self, pod: Pod, channels: PortChannels, index: int, data: PortData) -> None:
        with suppress(ConnectionError):
            if error := await self._pass(pod, data.port, data):
                await channels.fail(index, error)
        data.end()

    async def _pass(self, pod: Pod, port: int, data: Data) -> str:
        """Carry a connection until the pod ends it. Returns why it failed. Raises ConnectionError: the client left."""
        try:
            async with self._connections.open(PodPort.of(pod, port), by_pod_address=False) as connection:
                await carry(data, connection)
        except ApiError as error:
            meta = pod.metadata
            return f"error forwarding port {port} to pod {meta.name}, uid {meta.uid}: {error.message}"
        return ""


async def carry(data: Data, connection: TcpConnection) -> None:
    """Both directions, until the pod has ended its side. Raises ApiError, and ConnectionError when the client left."""
    feeding = asyncio.create_task(_feed(data, connection), name="to a port of a pod")
    drinking = asyncio.create_task(_drain(data, connection), name="from a port of a pod")
    try:
        await asyncio.wait({feeding, drinking}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done():
            feeding.result()
        await drinking
    finally:
        await end_tasks({feeding, drinking})


async def _feed(data: Data, connection: TcpConnection) -> None:
    while (piece := await data.read()) is not None:
        await connection.write(piece)
    await connection.close_input()


async def _drain(data: Data, connection: TcpConnection) -> None:
    while (piece := await connection.read()) is not None:
        await data.write(piece[1])
