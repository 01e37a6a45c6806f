"""Commands in containers of a fake engine: the version of its API, and what a broken engine answers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from agent.runtime.client import Limits
from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import EngineFault, EngineGone, NoSuchContainer, NotRunning, TimedOut
from agent.runtime.process import Command, Result
from agent.runtime.records import ContainerId
from tests.fakes.docker_engine import FakeEngine, frame

TRUE = ("true",)


async def run(runtime: DockerRuntime, container: str) -> Result:
    return await runtime.exec.run(ContainerId(container), TRUE, timeout_s=600)


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


@pytest.fixture
async def victim() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process in place of the command of the fake engine."""
    process = await asyncio.create_subprocess_exec("sleep", "600")
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.fixture
async def patient(engine: FakeEngine) -> AsyncIterator[DockerRuntime]:
    """A runtime that ends commands also on a host with no time for anything."""
    runtime = DockerRuntime(engine.socket, limits=Limits(look_s=60, cancelled_s=60))
    yield runtime
    await runtime.close()


def looks(engine: FakeEngine, *answers: dict[str, object]) -> None:
    """Commands begin and do not end; each look at them gets the next of these answers, and then the last."""
    queue = list(answers)
    engine.hangs = lambda request: request.path.endswith("/start")

    def look(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("/exec/command/json"):
            return None
        return web.json_response(queue.pop(0) if len(queue) > 1 else queue[0])

    engine.fails = look


async def test_the_command_of_a_caller_that_is_cancelled_is_killed(
    engine: FakeEngine, patient: DockerRuntime, victim: asyncio.subprocess.Process
) -> None:
    before_the_start: dict[str, object] = {"Running": False, "ExitCode": None, "Pid": 0}
    looks(engine, before_the_start, {"Running": True, "ExitCode": None, "Pid": victim.pid})
    call = asyncio.create_task(run(patient, engine.add("a")))
    await engine.hung.acquire()
    call.cancel()
    assert await victim.wait() == -signal.SIGKILL
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize(
    "later", [{"Running": False, "ExitCode": 0, "Pid": 0}, {"Running": True, "ExitCode": None, "Pid": 1}]
)
async def test_a_process_that_got_the_pid_of_the_command_is_not_killed(
    engine: FakeEngine, patient: DockerRuntime, victim: asyncio.subprocess.Process, later: dict[str, object]
) -> None:
    looks(engine, {"Running": True, "ExitCode": None, "Pid": victim.pid}, later)
    call = asyncio.create_task(run(patient, engine.add("a")))
    await engine.hung.acquire()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert engine.requests.count("GET /exec/command/json") == 2 and victim.returncode is None


@pytest.mark.parametrize("tty", [True, False])
async def test_a_command_with_a_terminal_is_hung_up_when_its_client_goes(
    engine: FakeEngine, patient: DockerRuntime, victim: asyncio.subprocess.Process, tty: bool
) -> None:
    looks(engine, {"Running": True, "ExitCode": None, "Pid": victim.pid})
    engine.hangs = lambda request: False
    with pytest.raises(ConnectionResetError):
        async with patient.exec.exec(ContainerId(engine.add("a")), Command(TRUE, tty=tty)):
            raise ConnectionResetError("the client has gone")
    if tty:
        assert await victim.wait() == -signal.SIGHUP
    else:
        assert "GET /exec/command/json" not in engine.requests


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
