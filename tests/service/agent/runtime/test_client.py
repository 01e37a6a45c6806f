"""The engine's client: the version of the API, deadlines, cancellation, and answers of a broken engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from agent.runtime.client import EngineClient, Limits, Request
from agent.runtime.errors import EngineFault, EngineGone, TimedOut
from agent.runtime.faults import EngineError
from tests.fakes.docker_engine import FakeEngine

LIST = Request("GET", "/containers/json", "list")


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[EngineClient]:
    made = EngineClient(engine.socket)
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize(
    ("minimum", "spoken"),
    [("1.12", "1.41"), ("1.24", "1.41"), ("1.44", "1.44"), ("2.0", "2.0")],
)
async def test_the_oldest_common_version_is_used(
    engine: FakeEngine, client: EngineClient, minimum: str, spoken: str
) -> None:
    engine.minimum_version = minimum
    assert await client.call(LIST) == []
    assert await client.versioned("/x") == f"/v{spoken}/x"


@pytest.mark.parametrize("answer", [{}, {"MinAPIVersion": ""}, {"MinAPIVersion": "odd"}])
async def test_an_engine_without_a_minimum_version(engine: FakeEngine, client: EngineClient, answer: object) -> None:
    engine.fails = lambda request: web.json_response(answer) if request.path == "/version" else None
    await client.call(LIST)
    assert await client.versioned("/x") == "/v1.41/x"


async def test_a_version_of_an_unknown_form_is_the_engines_fault(engine: FakeEngine, client: EngineClient) -> None:
    engine.fails = lambda request: web.json_response([])
    with pytest.raises(EngineFault, match="unknown form"):
        await client.call(LIST)


async def test_an_error_in_place_of_the_version_is_not_kept(engine: FakeEngine, client: EngineClient) -> None:
    engine.components = [{"Name": "Podman Engine", "Version": "4.3.1"}]
    engine.minimum_version = "1.44"
    engine.fails = lambda request: web.json_response({"message": "not ready"}, status=503)
    with pytest.raises(EngineError, match="not ready"):
        await client.call(LIST)
    engine.fails = lambda request: None
    await client.call(LIST)
    assert (await client.versioned("/x"), client.engine) == ("/v1.44/x", "podman")


async def test_a_newer_engine_in_its_place_is_noticed_within_the_call(engine: FakeEngine, client: EngineClient) -> None:
    await client.call(LIST)
    engine.minimum_version = "1.44"
    assert await client.call(LIST) == []
    assert await client.versioned("/x") == "/v1.44/x"


async def test_an_engine_that_refuses_every_version(engine: FakeEngine, client: EngineClient) -> None:
    refusal = web.json_response({"message": "client version 1.41 is too new. Maximum supported is 1.40"}, status=400)

    def fails(request: web.Request) -> web.StreamResponse | None:
        return None if request.path == "/version" else web.Response(status=400, text=str(refusal.text))

    engine.fails = fails
    with pytest.raises(EngineGone, match="no common version"):
        await client.call(LIST)


async def test_a_call_has_a_deadline_and_its_connection_ends_with_it(engine: FakeEngine, client: EngineClient) -> None:
    engine.hangs = lambda request: request.path.endswith("/containers/json")
    within_s = 0.02
    while engine.hung.locked():  # on a busy machine, a short deadline ends before the engine gets the request
        with pytest.raises(TimedOut, match="list: the container engine did not answer in time"):
            await client.call(LIST, within_s=within_s)
        within_s *= 2
    assert await engine.broken_off.get() == "GET /containers/json"


async def test_cancelling_a_call_ends_it_in_the_engine(engine: FakeEngine, client: EngineClient) -> None:
    engine.hangs = lambda request: request.path.endswith("/containers/json")
    call = asyncio.create_task(client.call(LIST))
    await engine.hung.acquire()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await engine.broken_off.get() == "GET /containers/json"


async def test_calls_that_are_stuck_do_not_stop_others(engine: FakeEngine) -> None:
    client = EngineClient(engine.socket, Limits(calls=2, stuck_s=0.02))
    engine.hangs = lambda request: "stuck" in request.path
    stuck = [
        asyncio.create_task(client.call(Request("GET", f"/containers/stuck{index}/json", "stuck")))
        for index in range(6)
    ]
    assert await client.call(LIST) == []
    for call in stuck:
        call.cancel()
    assert await asyncio.gather(*stuck, return_exceptions=True)
    await client.close()


@pytest.mark.parametrize("text", ["{", "[1, 2", "\x00\xff", "<html>"])
async def test_nonsense_is_the_engines_fault(engine: FakeEngine, client: EngineClient, text: str) -> None:
    await client.call(LIST)
    engine.fails = lambda request: web.Response(text=text)
    with pytest.raises(EngineFault, match="cannot be read"):
        await client.call(LIST)


async def test_bytes_without_http_are_the_engines_fault(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"nonsense\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    client = EngineClient(tmp_path / "s")
    async with server:
        with pytest.raises((EngineFault, EngineGone)):
            await client.call(LIST)
        await client.close()


async def test_an_error_has_the_engines_text(engine: FakeEngine, client: EngineClient) -> None:
    with pytest.raises(EngineError) as caught:
        await client.call(Request("GET", "/containers/none/json", "inspect"))
    assert (caught.value.status, caught.value.message) == (404, "No such container: none")


async def test_a_restarted_engine_is_reached_again(engine: FakeEngine, client: EngineClient) -> None:
    await client.call(LIST)
    await engine.stop()
    with pytest.raises(EngineGone):
        await client.call(LIST)
    await engine.start()
    assert await client.call(LIST) == []
