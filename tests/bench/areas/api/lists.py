"""Lists: of all pods against the floor, of one node's, of a tenth by label, and as the table that kubectl asks for.

The client reads one response after the other on one connection, as fast as it can.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from statistics import median

from tests.bench.areas.api import load, pods
from tests.bench.areas.api.bench import Bench, figure, note
from tests.bench.areas.api.connection import Connection, check
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.single import PATH
from tests.bench.figure import Figure

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_FLOOR_LIST = "/stream/pods"
_TABLE_ROWS = 500


def measure(bench: Bench, server: Server) -> Iterator[Figure]:
    """The lists of a master that has `few_pods` pods."""
    client = bench.run(Connection.open(server.port, server.tls))
    yield _all(bench, client)
    few = bench.sizes.few_pods
    of_node = pods.request("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{pods.NODE.decode()}")
    yield figure("list_node_ms", _median_ms(bench, client, of_node, min(few, pods.PODS_OF_NODE)), "ms", 4.0)
    by_label = pods.request("GET", f"{PATH}?labelSelector=track%3Dcanary")
    yield figure("list_label_ms", _median_ms(bench, client, by_label, few // 10), "ms", 20.0)
    table = pods.request("GET", f"{PATH}?limit={_TABLE_ROWS}", accept=_TABLE)
    assert len(json.loads(bench.run(client.ask(table)).body)["rows"]) >= min(few, _TABLE_ROWS)
    yield figure("table500_ms", _median_ms(bench, client, table), "ms", 10.0)
    client.close()


def _all(bench: Bench, client: Connection) -> Figure:
    request = pods.request("GET", PATH)
    body = bench.run(client.ask(request)).body
    assert len(json.loads(body)["items"]) == bench.sizes.few_pods
    against = bench.run(Connection.open(bench.floor.port, bench.floor.tls))
    bench.run(against.ask(pods.request("PUT", _FLOOR_LIST, body)))
    floor_request = pods.request("GET", _FLOOR_LIST)
    floor, ours = [], []
    for _ in range(bench.sizes.list_rounds):
        floor.append(bench.run(_seconds(against, floor_request)))
        ours.append(bench.run(_seconds(client, request)))
    against.close()
    note(f"lists of {len(body) / 1e6:.1f} MB: floor {1e3 * median(floor):.0f} ms, master {1e3 * median(ours):.0f} ms")
    return figure("list10k_ratio", load.ratio(ours, floor), "x", 1.5)


def _median_ms(bench: Bench, client: Connection, request: bytes, items: int | None = None) -> float:
    """The median time of a list, which must have this number of items."""
    if items is not None:
        assert len(json.loads(bench.run(client.ask(request)).body)["items"]) == items
    return 1e3 * median(bench.run(_seconds(client, request)) for _ in range(bench.sizes.small_lists))


async def _seconds(client: Connection, request: bytes) -> float:
    begin = time.perf_counter()
    check(await client.ask(request, keep=False), 200)
    return time.perf_counter() - begin
