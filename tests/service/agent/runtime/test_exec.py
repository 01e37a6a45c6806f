"""Commands in containers of a fake engine: the version of its API, and what a broken engine answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import EngineFault, EngineGone, NoSuchContainer, NotRunning, TimedOut
from agent.runtime.process import Result
from agent.runtime.records import ContainerId
from tests.fakes.docker_engine import FakeEngine, frame

TRUE = ("true",)


async def run(runtime: DockerRuntime, container: str) -> Result:
    return await runtime.exec.run(ContainerId(container), TRUE, timeout_s=30)


async def test_a_command(engine: FakeEngine, runtime: DockerRuntime) -> None:
    assert await run(runtime, engine.add("a")) == Result(3, b"done\n")


async def test_after_the_engine_was_replaced_the_version_is_asked_again(
    engine: FakeEngine, runtime: DockerRuntime
) -> None:
    made = engine.add("a")
    await run(runtime, made)
    engine.minimum_version = "1.44"
    assert await run(runtime, made) == Result(3, b"done\n")


async def test_the_version_is_asked_again_at_the_upgrade_too(engine: FakeEngine, runtime: DockerRuntime) -> None:
    made = engine.add("a")

    def replaced(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("/start"):
            engine.minimum_version = "1.44"
        return None

    engine.fails = replaced
    assert await run(runtime, made) == Result(3, b"done\n")
    assert engine.requests.count("POST /exec/command/start") == 2


@pytest.mark.timeout(30)
async def test_the_end_of_a_command_that_took_too_long_does_not_wait_for_an_engine_that_hangs(
    engine: FakeEngine, runtime: DockerRuntime
) -> None:
    engine.hangs = lambda request: request.path.endswith("/exec/command/json")
    with pytest.raises(TimedOut, match="command 'true' timed out after"):
        await runtime.exec.run(ContainerId(engine.add("a")), TRUE, timeout_s=0.5)


async def test_a_container_that_does_not_run(engine: FakeEngine, runtime: DockerRuntime) -> None:
    with pytest.raises(NotRunning):
        await run(runtime, engine.add("a", status="exited"))
    with pytest.raises(NoSuchContainer):
        await run(runtime, "none")


@pytest.mark.parametrize("output", [frame(1, b"done\n")[:6], frame(1, b"done\n")[:-1], b"\x09nonsense"])
async def test_an_engine_that_breaks_off(engine: FakeEngine, runtime: DockerRuntime, output: bytes) -> None:
    engine.output = output
    with pytest.raises(EngineGone):
        await run(runtime, engine.add("a"))


def close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(lambda request: web.json_response({"message": "no"}, status=500), EngineFault, id="error"),
        pytest.param(lambda request: web.json_response([]), EngineFault, id="another form"),
        pytest.param(close, EngineGone, id="closed"),
    ],
)
@pytest.mark.parametrize("call", ["/exec", "/start"])
async def test_a_broken_engine(
    engine: FakeEngine,
    runtime: DockerRuntime,
    call: str,
    answer: Callable[[web.Request], web.StreamResponse | None],
    expected: type[Exception],
) -> None:
    made = engine.add("a")
    engine.fails = lambda request: answer(request) if request.path.endswith(call) else None
    with pytest.raises(expected):
        await run(runtime, made)
