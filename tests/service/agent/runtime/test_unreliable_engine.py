"""The life of pods on an engine that takes 10 s for each call, or fails half of them.

Everything ends as desired, and nothing is made twice.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from agent.model import PodPhase
from agent.runtime.client import Limits
from agent.runtime.docker import DockerRuntime
from tests.fakes.docker_engine import FakeEngine
from tests.fakes.sessions import until
from tests.service.agent.runtime.node import SPEED, Node, desired

pytestmark = pytest.mark.timeout(60)

NAMES = ["sampan_a_POD_0", "sampan_a_app_0", "sampan_b_POD_0", "sampan_b_app_0"]
RESTARTED = sorted([*NAMES, "sampan_a_app_1"])


@pytest.fixture
async def runtime(engine: FakeEngine) -> AsyncIterator[DockerRuntime]:
    """The product's limits, as fast as the time of the tests."""
    real = Limits()
    limits = Limits(call_s=real.call_s / SPEED, look_s=real.look_s / SPEED, stuck_s=real.stuck_s / SPEED)
    made = DockerRuntime(engine.socket, limits=limits)
    try:
        yield made
    finally:
        await made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One life of each kind; with `--long` thirty, unless a seed is given."""
    if "turn" in metafunc.fixturenames:
        many = metafunc.config.getoption("--long") and metafunc.config.getoption("--seed") is None
        metafunc.parametrize("turn", range(30 if many else 1))


@pytest.fixture
def seed(pytestconfig: pytest.Config, turn: int) -> int:
    """The seed of the random failures, printed with a failure."""
    given = pytestconfig.getoption("--seed")
    chosen = random.SystemRandom().randrange(1_000_000) if given is None else int(given)
    print(f"to repeat this run: --seed {chosen}")
    return chosen


async def live(engine: FakeEngine, node: Node) -> None:
    """Two pods are created; a container of one dies; the agent is restarted; the pods are deleted."""
    async with node.running() as manager:
        await manager.apply(desired("a", "b"), complete=True)
        await until(lambda: node.ready("a", "b"))
        assert sorted(engine.made) == NAMES
        end(engine, "sampan_a_app_0")
        await until(lambda: node.restarts("a") == 1 and node.ready("a", "b"))
    async with node.running() as manager:
        await manager.apply(desired("a", "b"), complete=True)
        await until(lambda: node.ready("a", "b"))
        assert sorted(engine.made) == RESTARTED
        assert (node.restarts("a"), node.restarts("b")) == (1, 0)
        assert node.phases("a", "b") == [PodPhase.RUNNING] * 2
        await manager.apply(desired(), complete=True)
        await until(lambda: manager.idle)
    assert engine.containers == {} and node.network.addresses == {} and node.network.wired == {}
    assert sorted(engine.made) == RESTARTED
    assert sorted(node.reporter.gone) == ["a", "b"]


def end(engine: FakeEngine, name: str) -> None:
    """The process of a container ends."""
    [made] = [made for made, each in engine.containers.items() if each["Name"] == f"/{name}"]
    engine.set_status(made, "exited", 1)
    engine.publish("die", made)


def counted(engine: FakeEngine, end: str) -> dict[str, int]:
    """How often each container got a request of this kind."""
    paths = [each for each in engine.requests if each.endswith(end)]
    return {each: paths.count(each) for each in paths}


async def test_an_engine_that_takes_10_s_for_each_call(engine: FakeEngine, node: Node) -> None:
    """No call is given up, and none is made twice."""
    engine.delay_s = 10.0 / SPEED
    await live(engine, node)
    assert set(counted(engine, "/start").values()) == {1}
    assert [event for event in node.reporter.events if event.warning] == []


@pytest.mark.parametrize("late", [False, True], ids=["before the work", "after the work"])
@pytest.mark.parametrize("how", ["status 500", "broken off"])
async def test_an_engine_that_fails_half_of_its_calls(
    engine: FakeEngine, node: Node, seed: int, how: str, late: bool
) -> None:
    luck = random.Random(seed)

    def fails(request: web.Request) -> web.StreamResponse | None:
        if luck.random() < 0.5 or (request.path.endswith("/events") and late):
            return None
        return broken(request, how)

    if late:
        engine.fails_late = fails
    else:
        engine.fails = fails
    await live(engine, node)


def broken(request: web.Request, how: str) -> web.StreamResponse:
    """The answer of a call that fails."""
    if how == "broken off":
        assert request.transport is not None
        request.transport.close()
        return web.Response()
    return web.json_response({"message": "no luck"}, status=int(how.removeprefix("status ")))
