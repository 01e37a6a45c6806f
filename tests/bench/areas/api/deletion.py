"""Creates while a namespace with many pods is being deleted, against creates before and after it."""

from __future__ import annotations

import asyncio
import time

from tests.bench.areas.api import load, pods
from tests.bench.areas.api.bench import Bench, figure, note
from tests.bench.areas.api.connection import Connection, check, connections
from tests.bench.areas.api.load import Load
from tests.bench.areas.api.response import Response
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.single import PATH, creations
from tests.bench.figure import Figure

_DOOMED = f"/api/v1/namespaces/{pods.DOOMED}"
_LOOK_S = 0.1
_LONGEST_S = 15.0


def measure(bench: Bench, server: Server) -> Figure:
    return bench.run(_measure(bench, server))


async def _measure(bench: Bench, server: Server) -> Figure:
    sizes = bench.sizes
    clients = await connections(sizes.create_clients, server.port, server.tls)
    following = creations(PATH, first=bench.sizes.few_pods)

    async def undisturbed() -> Load:
        return await load.run(clients, following, sizes.create_s, status=201)

    await undisturbed()
    alone = [await undisturbed(), await undisturbed()]
    beside = await _beside(server, clients, following)
    alone.append(await undisturbed())
    for client in clients:
        client.close()
    note(f"creates alone: {load.rates(alone):,.0f}/s with p99 {1e3 * load.p99s(alone):.0f} ms")
    note(f"beside the deletion: {beside.rate:,.0f}/s with p99 {1e3 * beside.p99_s:.0f} ms")
    return figure("create_beside_deletion", beside.rate / load.rates(alone), "x", 0.6, at_least=True)


async def _beside(server: Server, clients: list[Connection], following: load.Following) -> Load:
    """The load from the deletion of the namespace until it is gone, but not longer than `_LONGEST_S`."""
    watch = await Connection.open(server.port, server.tls)
    await watch.ask(pods.request("DELETE", _DOOMED))
    gone = asyncio.create_task(_gone(watch), name="deletion")
    begin = time.perf_counter()
    beside = await load.run(clients, following, _LONGEST_S, status=201, stopped=gone.done)
    note(f"the deletion of the namespace took {'' if gone.done() else 'more than '}{time.perf_counter() - begin:.1f} s")
    # The creates after it must be undisturbed again.
    await gone
    watch.close()
    return beside


async def _gone(client: Connection) -> None:
    """Waits until the namespace does not exist."""
    while True:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        client.send(pods.request("GET", _DOOMED), answer.set_result)
        response = await answer
        check(response, 200, 404)
        if response.status == 404:
            return
        await asyncio.sleep(_LOOK_S)
