"""A thousand watchers of one namespace, each on a connection of its own, and changes of one pod.

A change is a merge patch of an annotation. The next one follows when all watchers have it. The time of a delivery
counts from the first sign of the change at any client, the response to the patch or a delivery, until the watcher has
the last byte of the event. The processor time is all that the master uses meanwhile, divided by the deliveries.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import cast

from tests.bench.areas.api import pods
from tests.bench.areas.api.bench import Bench, figure
from tests.bench.areas.api.connection import Connection
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.single import PATH
from tests.bench.figure import Figure, p99

_EVENT_END = b"}\n\r\n"
"""The last bytes of an event and of its chunk."""
_CONNECTING = 50
_TIMEOUT_S = 30.0


def measure(bench: Bench, server: Server) -> Iterator[Figure]:
    cpu_us, fanout_ms = bench.run(_measure(server, bench.sizes.watchers, bench.sizes.changes))
    yield figure("watch_us", cpu_us, "us", 15.0)
    yield figure("fanout_p99_ms", fanout_ms, "ms", 60.0)


async def _measure(server: Server, watchers: int, changes: int) -> tuple[float, float]:
    client = await Connection.open(server.port, server.tls)
    audience = _Audience()
    # A list has the newest version. That of an old object may be older than what a watch may start at.
    listed = json.loads((await client.ask(pods.request("GET", "/api/v1/namespaces"))).body)
    await audience.gather(server, watchers, listed["metadata"]["resourceVersion"])
    # The first change arrives when a watch has begun, so all have begun after it.
    await _change(client, audience, 0)
    before, times = server.cpu_s(), []
    for number in range(changes):
        times += await _change(client, audience, 1 + number)
    used = server.cpu_s() - before
    audience.leave()
    client.close()
    return 1e6 * used / len(times), 1e3 * p99(times)


async def _change(client: Connection, audience: _Audience, number: int) -> list[float]:
    """Changes the pod. Returns the times in which the watchers had the event, in seconds."""
    patch = {"metadata": {"annotations": {"bench/change": f"{number:06d}"}}}
    body = json.dumps(patch).encode()
    request = pods.request("PATCH", f"{PATH}/{pods.NAME.decode()}", body, media="application/merge-patch+json")
    everywhere = audience.expect()
    await client.ask(request, keep=False)
    answered = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            deliveries = await everywhere
    except TimeoutError:
        raise RuntimeError(f"the change reached {audience.count} watchers only") from None
    first = min(answered, *deliveries)
    return [delivered - first for delivered in deliveries]


class _Audience:
    """The watchers, and when each of them had the expected event."""

    def __init__(self) -> None:
        self._watchers: list[_Watcher] = []
        self._times: list[float] = []
        self._everywhere: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    async def gather(self, server: Server, number: int, version: str) -> None:
        request = pods.request("GET", f"{PATH}?watch=true&resourceVersion={version}")
        while len(self._watchers) < number:
            opening = [self._join(server, request) for _ in range(min(_CONNECTING, number - len(self._watchers)))]
            self._watchers += await asyncio.gather(*opening)

    async def _join(self, server: Server, request: bytes) -> _Watcher:
        _, watcher = await asyncio.get_running_loop().create_connection(
            lambda: _Watcher(request, self), "127.0.0.1", server.port, ssl=server.tls, server_hostname="127.0.0.1"
        )
        return watcher

    def expect(self) -> asyncio.Future[list[float]]:
        """The times at which all watchers had the next event."""
        self._times = []
        self._everywhere = asyncio.get_running_loop().create_future()
        return self._everywhere

    @property
    def count(self) -> int:
        """How many watchers have the event."""
        return len(self._times)

    def delivered(self) -> None:
        self._times.append(time.perf_counter())
        if len(self._times) == len(self._watchers) and not self._everywhere.done():
            self._everywhere.set_result(self._times)

    def leave(self) -> None:
        for watcher in self._watchers:
            watcher.transport.abort()


class _Watcher(asyncio.Protocol):
    """One watch. It only looks for the ends of events."""

    transport: asyncio.Transport

    def __init__(self, request: bytes, audience: _Audience) -> None:
        self._request = request
        self._audience = audience
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        tail = self._tail + data[-len(_EVENT_END) :]
        self._tail = tail[-len(_EVENT_END) :]
        if tail.endswith(_EVENT_END):
            self._audience.delivered()
