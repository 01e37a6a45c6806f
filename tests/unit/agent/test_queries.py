"""What an agent answers about its node."""

from __future__ import annotations

import pytest

from agent.queries import Answer, Queries, Query, healthz
from agent.statuses import Condition


async def test_each_path_has_its_function_and_others_are_not_found() -> None:
    async def echo(query: Query) -> Answer:
        return Answer(query.parameters.encode())

    queries = Queries({"/a": echo})
    queries.add("/b/c", echo)
    assert (await queries.answer(Query("/a/", "x=1"))).body == b"x=1"
    assert (await queries.answer(Query("/b/c", "y"))).body == b"y"
    for path in ("/", "/b", "/a/b", "/a/../a"):
        assert (await queries.answer(Query(path))).status == 404


@pytest.mark.parametrize(
    ("conditions", "status", "part"),
    [
        ((Condition("Ready", "True"),), 200, b"ok"),
        ((Condition("Ready", "False", message="the engine is away"),), 500, b"the engine is away"),
        ((Condition("DiskPressure", "True"),), 500, b"no condition"),
    ],
)
async def test_health_is_the_condition_of_the_node(conditions: tuple[Condition, ...], status: int, part: bytes) -> None:
    answer = await healthz(lambda: conditions)(Query("/healthz"))
    assert answer.status == status and part in answer.body
