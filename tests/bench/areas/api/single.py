"""One object: GETs of a pod and creates of pods, each in rounds that alternate between the floor and the master.

A ratio is the median of the ratios of two neighbouring rounds, so that a slow minute of the machine hits both.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

from master.store.sqlite import SqliteStore
from tests.bench.areas.api import load, pods
from tests.bench.areas.api.bench import Bench, figure, note
from tests.bench.areas.api.connection import Connection, connections
from tests.bench.areas.api.load import Load
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.stored import Templates
from tests.bench.figure import Figure

PATH = f"/api/v1/namespaces/{pods.NAMESPACE}/pods"
_FLOOR_POD, _FLOOR_PODS = "/pod", "/pods"
_FIRST_DISTINCT = 5_000_000


def measure(bench: Bench, templates: list[Templates]) -> Iterator[Figure]:
    """The figures of single objects. Adds the templates that the other stages need to `templates`."""
    with bench.master() as server:
        yield figure("idle_mb", bench.settled_mb(server), "MB", 110.0)
        answer = bench.run(_prepare(server, bench.floor))
        note(f"a pod has {len(answer)} bytes as answered")
        yield from _gets(bench, server)
        yield from _creates(bench, server)
        yield _distinct_creates(bench, server)
    templates.append(bench.run(_templates(bench)))


async def _prepare(server: Server, floor: Server) -> bytes:
    """Creates what the templates are read from, and gives the floor the bytes of a pod. Returns these bytes."""
    client = await Connection.open(server.port, server.tls)
    for name in (pods.NAMESPACE, pods.DOOMED):
        await client.ask(pods.creation("/api/v1/namespaces", pods.namespace(name)))
    await client.ask(pods.creation("/api/v1/nodes", pods.node()))
    await client.ask(pods.creation(PATH, pods.pod(node_name=pods.NODE.decode())))
    doomed = f"/api/v1/namespaces/{pods.DOOMED}/pods"
    body = (await client.ask(pods.creation(doomed, pods.pod()))).body
    client.close()
    client = await Connection.open(floor.port, floor.tls)
    for path in (_FLOOR_POD, _FLOOR_PODS):
        await client.ask(pods.request("PUT", path, body))
    client.close()
    return body


async def _templates(bench: Bench) -> Templates:
    store = await SqliteStore.open(bench.store)
    try:
        return await Templates.read(store)
    finally:
        await store.close()


def _gets(bench: Bench, server: Server) -> Iterator[Figure]:
    sizes = bench.sizes
    requests = {
        bench.floor.port: pods.request("GET", _FLOOR_POD),
        server.port: pods.request("GET", f"{PATH}/{pods.NAME.decode()}"),
    }

    async def round_(server: Server, clients: list[Connection]) -> Load:
        request = requests[server.port]
        return await load.run(clients, lambda: request, sizes.get_s)

    floor, ours = _alternate(bench, server, sizes.get_clients, sizes.get_rounds, round_)
    note(f"GETs: floor {load.rates(floor):,.0f}/s, master {load.rates(ours):,.0f}/s")
    yield figure("get_ratio", _rate_ratio(ours, floor), "x", 0.85, at_least=True)


def _creates(bench: Bench, server: Server) -> Iterator[Figure]:
    floor, ours = _rounds_of_creates(bench, server)
    yield figure("create_ratio", _rate_ratio(ours, floor), "x", 0.5, at_least=True)
    p99_ratio = load.ratio((each.p99_s for each in ours), (each.p99_s for each in floor))
    yield figure("create_p99_ratio", p99_ratio, "x", 2.0)


def _distinct_creates(bench: Bench, server: Server) -> Figure:
    floor, ours = _rounds_of_creates(bench, server, distinct=True)
    return figure("create_distinct_ratio", _rate_ratio(ours, floor), "x", None, at_least=True)


def _rounds_of_creates(bench: Bench, server: Server, *, distinct: bool = False) -> tuple[list[Load], list[Load]]:
    sizes = bench.sizes
    first = _FIRST_DISTINCT if distinct else 1
    following = {
        port: creations(path, first=first, distinct=distinct)
        for port, path in ((bench.floor.port, _FLOOR_PODS), (server.port, PATH))
    }

    async def round_(server: Server, clients: list[Connection]) -> Load:
        return await load.run(clients, following[server.port], sizes.create_s, status=201)

    floor, ours = _alternate(bench, server, sizes.create_clients, sizes.create_rounds, round_)
    what = "distinct creates" if distinct else "creates"
    for name, loads in (("floor", floor), ("master", ours)):
        note(f"{what}: {name} {load.rates(loads):,.0f}/s with p99 {1e3 * load.p99s(loads):.0f} ms")
    return floor, ours


def _rate_ratio(ours: list[Load], floor: list[Load]) -> float:
    return load.ratio((each.rate for each in ours), (each.rate for each in floor))


def _alternate(
    bench: Bench,
    server: Server,
    number: int,
    rounds: int,
    run: Callable[[Server, list[Connection]], Awaitable[Load]],
) -> tuple[list[Load], list[Load]]:
    """Rounds of the floor and of the master with `number` clients, after a first one of each that does not count."""
    both = [(each, bench.run(connections(number, each.port, each.tls))) for each in (bench.floor, server)]
    results: tuple[list[Load], list[Load]] = ([], [])
    used = [0.0, 0.0]
    for _ in range(rounds + 1):
        for number, (each, clients) in enumerate(both):
            before = each.cpu_s()
            results[number].append(bench.run(run(each, clients)))
            used[number] += each.cpu_s() - before
    for _, clients in both:
        for client in clients:
            client.close()
    floor, ours = (1e6 * cpu / sum(load.requests for load in loads) for cpu, loads in zip(used, results, strict=True))
    note(f"processor time of a request: floor {floor:.0f} us, master {ours:.0f} us")
    return results[0][1:], results[1][1:]


def creations(path: str, *, first: int = 1, distinct: bool = False) -> load.Following:
    """A function that returns the request for the next pod. Only the name differs, so nothing is encoded again."""
    parts = pods.creation(path, pods.pod(distinct=distinct)).split(json.dumps(pods.NAME.decode()).encode())
    numbers = count(first)
    return lambda: (b'"%b"' % pods.pod_name(next(numbers))).join(parts)
