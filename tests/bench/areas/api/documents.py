"""The documents of OpenAPI from a warm server, as clients ask for them: compressed.

The first request makes a document and is not counted. The client reads one response after the other on one connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from tests.bench.areas.api import pods
from tests.bench.areas.api.bench import Bench, figure, note
from tests.bench.areas.api.connection import Connection
from tests.bench.areas.api.servers import Server
from tests.bench.figure import Figure

_V2, _V3 = "/openapi/v2", "/openapi/v3/api/v1"


def measure(bench: Bench, server: Server) -> Iterator[Figure]:
    client = bench.run(Connection.open(server.port, server.tls))
    yield figure("openapi_ms", _warm_ms(bench, client, _V3), "ms", 2.0)
    yield figure("openapi_v2_ms", _warm_ms(bench, client, _V2), "ms", 30.0)
    client.close()


def _warm_ms(bench: Bench, client: Connection, path: str) -> float:
    request = pods.request("GET", path).replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
    first_s, size = bench.run(_ask(client, request))
    note(f"{path}: {size / 1e3:.0f} KB compressed, the first time in {1e3 * first_s:.0f} ms")
    return 1e3 * median(bench.run(_ask(client, request))[0] for _ in range(bench.sizes.small_lists))


async def _ask(client: Connection, request: bytes) -> tuple[float, int]:
    """The time in seconds, and the bytes of the response."""
    begin = time.perf_counter()
    response = await client.ask(request)
    return time.perf_counter() - begin, len(response.body)
