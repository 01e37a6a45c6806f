"""Requests through the proxies of nodes, which the agent answers itself."""

from __future__ import annotations

import pytest

from agent.queries import Answer, Queries, Query
from tests.fakes.processbed import Bed

pytestmark = pytest.mark.timeout(60)


async def test_the_proxy_of_a_node_asks_its_agent(bed: Bed) -> None:
    async def say(query: Query) -> Answer:
        return Answer(f"{query.path}?{query.parameters}\n".encode() * 30_000, "text/x-test", 201)

    bed.agent.machine.queries = Queries({"/a b": say})
    for name in ("node-1", "node-1:10250", "https:node-1:10250"):
        answer = await bed.client("GET", f"/api/v1/nodes/{name}/proxy/a%20b?x=%20")
        assert (answer.status, answer.headers["Content-Type"]) == (201, "text/x-test")
        assert answer.body == b"/a b?x=%20\n" * 30_000


@pytest.mark.parametrize(
    ("method", "name", "path", "code"),
    [
        pytest.param("GET", "node-1", "/logs/", 404, id="unknown path"),
        pytest.param("POST", "node-1", "/run/x", 405, id="not a GET"),
        pytest.param("GET", "node-1:22", "/", 400, id="another port"),
        pytest.param("GET", "node-9", "/healthz", 404, id="no node"),
    ],
)
async def test_what_the_proxy_of_a_node_refuses(bed: Bed, method: str, name: str, path: str, code: int) -> None:
    assert (await bed.client(method, f"/api/v1/nodes/{name}/proxy{path}")).status == code


async def test_the_proxy_of_a_node_has_the_logs_of_its_containers(bed: Bed) -> None:
    bed.agent.machine.chunks = [b"one line\n"]
    path = "/api/v1/nodes/node-1/proxy/containerLogs/default"
    answer = await bed.client("GET", f"{path}/web/app?tailLines=3")
    assert (answer.status, answer.body) == (200, b"one line\n")
    for wrong in ("other/app", "web/other"):
        assert (await bed.client("GET", f"{path}/{wrong}")).status in (400, 404)


async def test_a_query_that_fails_is_a_500(bed: Bed) -> None:
    async def fail(_: Query) -> Answer:
        raise OSError("no such disk")

    bed.agent.machine.queries = Queries({"/stats": fail})
    answer = await bed.client("GET", "/api/v1/nodes/node-1/proxy/stats")
    assert (answer.status, answer.body) == (500, b"no such disk\n")


async def test_a_node_without_session_is_unavailable(bed: Bed) -> None:
    session = bed.master.sessions.current("node-1")
    assert session is not None
    session.version = 2
    answer = await bed.client("GET", "/api/v1/nodes/node-1/proxy/healthz")
    assert answer.status == 503 and "too old for the proxy of nodes" in answer.json["message"]
