"""A process, from the agent to a client's websocket: real HTTPS in front, real gRPC with TLS behind.

The container is fake.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path

import aiohttp
import pytest

from agent.runtime.fakeprocess import FakeProcess
from agent.runtime.process import Channel
from lab.kubectl import websocket_kubectls
from master.api.errors import Forbidden
from master.api.identity import Caller
from master.api.pipeline.authorization import Attributes, MastersOnly
from proto import contract
from tests.fakes.processbed import PODS, V5, Bed
from tests.fakes.sessions import until

pytestmark = pytest.mark.timeout(30)

TOKEN = "base64url.bearer.authorization.k8s.io.YS5iLmM"


async def test_output_and_exit_code_reach_the_client(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    process.put(b"hello")
    process.put(b"oops", Channel.STDERR)
    process.end(3)
    async with bed.exec(more="&stderr=1&command=-x") as socket:
        messages = [message.data async for message in socket]
    assert messages[:2] == [b"\x01hello", b"\x02oops"]
    status = json.loads(messages[2][1:])
    assert (messages[2][0], status["reason"]) == (3, "NonZeroExitCode")
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    (request,) = bed.agent.machine.process_requests
    assert request.command == ("run", "-x") and request.stdin and request.stderr and not request.tty


@pytest.mark.parametrize("offered", [(), ("channel.k8s.io",)])
async def test_the_oldest_clients_get_a_failure_as_text(bed: Bed, offered: tuple[str, ...]) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec(protocols=offered) as socket:
        await socket.send_bytes(b"\x00in")
        await until(lambda: process.input)
        process.put(b"out")
        process.end(3)
        messages = [message.data async for message in socket]
    failure = b"\x03command terminated with non-zero exit code: exit status 3"
    assert (bytes(process.input), messages) == (b"in", [b"\x01out", failure])


async def test_clients_without_binary_messages_use_base64(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec(protocols=("base64.channel.k8s.io",)) as socket:
        await socket.send_str("0" + base64.b64encode(b"in").decode())
        await until(lambda: process.input)
        process.put(b"\xffout")
        process.end(0)
        messages = [message.data async for message in socket]
    assert (bytes(process.input), messages) == (b"in", ["1" + base64.b64encode(b"\xffout").decode()])


@pytest.mark.parametrize(
    ("protocols", "wanted"),
    [((), b"line\n"), (("binary.k8s.io",), b"line\n"), (("base64.binary.k8s.io",), "bGluZQo=")],
)
async def test_a_log_by_websocket(bed: Bed, protocols: tuple[str, ...], wanted: bytes | str) -> None:
    bed.agent.machine.chunks = [b"line\n"]
    async with bed.log(protocols=protocols) as socket:
        assert [message.data async for message in socket] == [wanted]
        assert socket.close_code == 1000


async def test_a_client_that_closes_its_websocket_ends_the_log(bed: Bed) -> None:
    bed.agent.machine.chunks, bed.agent.machine.follow = [b"line\n"], True
    async with bed.log("follow=true", protocols=("binary.k8s.io",)) as socket:
        assert await socket.receive_bytes() == b"line\n"
    await bed.agent.machine.log_ended.wait()


async def test_a_log_that_breaks_ends_its_websocket_with_an_error(bed: Bed) -> None:
    bed.agent.machine.chunks, bed.agent.machine.follow = [b"line\n"], True
    async with bed.log("follow=true", protocols=("binary.k8s.io",)) as socket:
        await socket.receive_bytes()
        bed.master.sessions.end_session("node-1", "the agent's connection is cut")
        message = await socket.receive()
        assert (message.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1011)
        assert "connection to node node-1 was lost" in message.extra


async def test_input_reaches_the_process_whole_and_its_end_too(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    block = bytes(range(256)) * 128
    async with bed.exec() as socket:
        for _ in range(100):
            await socket.send_bytes(b"\x00" + block)
        await socket.send_bytes(b"\xff\x00")
        await process.input_closed.wait()
        assert bytes(process.input) == block * 100
        process.end(0)
        assert json.loads((await socket.receive_bytes())[1:]) == {"metadata": {}, "status": "Success"}


async def test_the_size_of_the_terminal_reaches_the_process(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec(protocols=("v4.channel.k8s.io",), more="&tty=1") as socket:
        await socket.send_bytes(b"\x04" + b'{"Width":132,"Height":43}')
        await socket.send_bytes(b"\x04nonsense")
        await socket.send_bytes(b"\x00x")
        await until(lambda: process.input)
    assert process.sizes == [(132, 43)]
    assert bed.agent.machine.process_requests[0].tty


async def test_a_client_that_goes_away_ends_the_streams_of_the_process(bed: Bed) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec():
        await until(lambda: bed.agent.machine.process_requests)
    await bed.agent.machine.process_ended.wait()
    await until(lambda: not bed.master.streams._streams)


async def test_a_process_that_writes_much_waits_for_a_client_that_does_not_read(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    block, number = b"x" * (64 << 10), 800
    for _ in range(number):
        process.put(block)
    process.end(0)
    async with bed.exec() as socket:
        stream = await bed.begun()
        await until(lambda: stream._waiting)
        assert not process._output.empty() and stream._waiting <= contract.STREAM_WINDOW_BYTES
        size = 0
        async for message in socket:
            assert stream._waiting <= contract.STREAM_WINDOW_BYTES
            size += len(message.data) - 1 if message.data[0] == 1 else 0
    assert size == number * len(block)


async def test_a_command_that_cannot_start_is_a_failure_on_the_error_channel(bed: Bed) -> None:
    async with bed.exec("missing") as socket:
        message = await socket.receive_bytes()
    status = json.loads(message[1:])
    assert message[0] == 3 and status["status"] == "Failure" and "executable file not found" in status["message"]


async def test_a_lost_connection_does_not_look_like_a_success(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    process.put(b"half")
    async with bed.exec() as socket:
        assert await socket.receive_bytes() == b"\x01half"
        bed.master.sessions.end_session("node-1", "the agent's connection is cut")
        status = json.loads((await socket.receive_bytes())[1:])
    assert status["status"] == "Failure" and "connection to node node-1 was lost" in status["message"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param("&container=other", 400, id="no such container"),
        pytest.param("&stdin=0&stdout=0", 101, id="the first value counts"),
        pytest.param("&tty=1&stderr=1", 101, id="a terminal has no stderr"),
    ],
)
async def test_wrong_requests_are_refused_before_the_upgrade(bed: Bed, more: str, code: int) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    try:
        async with bed.exec(more=more):
            assert code == 101
    except aiohttp.WSServerHandshakeError as error:
        assert error.status == code


async def test_who_may_only_read_cannot_exec_by_a_websocket(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def only_get(self: MastersOnly, caller: Caller, attributes: Attributes) -> None:
        if attributes.verb != "get":
            raise Forbidden(f"may not {attributes.verb} {attributes.resource}/{attributes.subresource}")

    monkeypatch.setattr(MastersOnly, "authorize", only_get)
    bed.agent.machine.processes["run"] = bed.agent.machine.processes[""] = FakeProcess()
    for verb in ("exec", "attach"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with bed.exec(verb=verb):
                pass
        assert refused.value.status == 403
    assert not bed.agent.machine.process_requests


async def test_a_node_without_session_and_an_old_agent_are_refused(bed: Bed) -> None:
    session = bed.master.sessions.current("node-1")
    assert session is not None
    session.version = 2
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with bed.exec():
            pass
    assert refused.value.status == 400 and not bed.agent.machine.process_requests


async def test_a_master_that_exceeds_its_credit_ends_the_stream_only(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    session = bed.master.sessions.current("node-1")

    async def never(data: bytes) -> None:
        await asyncio.Event().wait()

    process.write = never  # type: ignore[method-assign]
    async with bed.exec() as socket:
        stream = await bed.begun()
        stream._credit = 2 * contract.STREAM_WINDOW_BYTES
        await stream.write(b"x" * (contract.STREAM_WINDOW_BYTES + 1))
        status = json.loads((await socket.receive_bytes())[1:])
    assert "more input than its credit allows" in status["message"]
    assert bed.master.sessions.current("node-1") is session


async def test_attach_has_the_terminal_of_the_container_whatever_the_client_says(bed: Bed) -> None:
    spec = {"nodeName": "node-1", "containers": [{"name": "app", "image": "a", "tty": True}]}
    await bed.client("POST", PODS, {"metadata": {"name": "shell"}, "spec": spec})
    bed.agent.machine.processes[""] = FakeProcess()
    async with bed.exec(verb="attach", pod="shell"), bed.exec(verb="attach", more="&tty=1"):
        assert [request.tty for request in bed.agent.machine.process_requests] == [True, False]


async def test_a_process_that_ends_at_once_has_an_exit_code(bed: Bed) -> None:
    for number in range(1, 20):
        process = bed.agent.machine.processes["run"] = FakeProcess()
        process.end(number)
        async with bed.exec() as socket:
            status = json.loads((await socket.receive_bytes())[1:])
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": str(number)}]


async def test_attach_talks_to_the_main_process_which_goes_on(bed: Bed) -> None:
    process = bed.agent.machine.processes[""] = FakeProcess()
    process.put(b"one line")
    async with bed.exec("ignored", verb="attach") as socket:
        assert await socket.receive_bytes() == b"\x01one line"
        process.end(None)
        assert json.loads((await socket.receive_bytes())[1:])["status"] == "Success"
    assert bed.agent.machine.process_requests[0].command == ()


@pytest.mark.parametrize("binary", websocket_kubectls(), ids=lambda path: path.name)
async def test_kubectl_exec_passes_input_output_and_exit_code(bed: Bed, binary: Path) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    sent, printed = os.urandom(3 << 20), os.urandom(3 << 20)
    for start in range(0, len(printed), 50_000):
        process.put(printed[start : start + 50_000])
    running = await bed.kubectl(binary, "exec", "-i", "web", "--", "run", "--flag")
    talking = asyncio.create_task(running.communicate(sent))
    await process.input_closed.wait()
    process.end(7)
    output, errors = await talking
    assert (output == printed, bytes(process.input) == sent) == (True, True)
    assert (running.returncode, errors) == (7, b"command terminated with exit code 7\n")
    assert bed.agent.machine.process_requests[0].command == ("run", "--flag")


@pytest.mark.parametrize(("offered", "chosen"), [((TOKEN, V5), V5), ((f"{TOKEN}, {V5}",), V5), ((TOKEN,), None)])
async def test_a_token_among_the_subprotocols_is_neither_logged_nor_answered(
    bed: Bed, caplog: pytest.LogCaptureFixture, offered: tuple[str, ...], chosen: str | None
) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    headers = [("Sec-WebSocket-Protocol", value) for value in offered]
    async with bed.exec(protocols=(), headers=headers) as socket:
        process.put(b"x")
        assert await socket.receive_bytes() == b"\x01x"
        assert socket._response.headers.get("Sec-WebSocket-Protocol") == chosen
        process.end(0)
    assert "bearer" not in caplog.text
