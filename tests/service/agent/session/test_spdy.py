"""A process, from the agent to a client by SPDY: with kubectls that use it, and with bytes that they would not send."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import struct
import tarfile
import termios
from pathlib import Path

import pytest

from agent.runtime.fakeprocess import FakeProcess
from agent.runtime.process import Channel
from master.api.remote import spdyclients
from master.kinds.core.pod import exec as exec_
from proto import contract
from tests import spdyclient
from tests.fakes.processbed import POD, Bed
from tests.fakes.rawspdy import V4, connected
from tests.fakes.sessions import until
from tests.service.master.kubectls import ALL, KUBECTLS, name_of
from tests.spdyclient import FIN, Frame, data

pytestmark = pytest.mark.timeout(30)

BY_SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}


@pytest.fixture
def only_spdy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_, "is_websocket", lambda request: False)


@pytest.mark.usefixtures("only_spdy")
@pytest.mark.parametrize("binary", ALL, ids=name_of)
async def test_kubectl_exec_passes_input_output_and_exit_code(bed: Bed, binary: Path) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    sent, printed = os.urandom(3 << 20), os.urandom(3 << 20)
    for start in range(0, len(printed), 50_000):
        process.put(printed[start : start + 50_000])
    process.put(b"an error", Channel.STDERR)
    running = await bed.kubectl(binary, "exec", "-i", "web", "--", "run", "--flag", **BY_SPDY)
    talking = asyncio.create_task(running.communicate(sent))
    await process.input_closed.wait()
    process.end(7)
    output, errors = await talking
    assert (output == printed, bytes(process.input) == sent) == (True, True)
    assert (running.returncode, errors) == (7, b"an errorcommand terminated with exit code 7\n")


@pytest.mark.usefixtures("only_spdy")
@pytest.mark.parametrize("binary", KUBECTLS, ids=name_of)
async def test_kubectl_gets_all_output_of_a_process_that_leaves_input_unread(bed: Bed, binary: Path) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()

    async def never(data: bytes) -> None:
        await asyncio.Event().wait()

    process.write = never  # type: ignore[method-assign]
    process.put(b"x" * 300_000)
    running = await bed.kubectl(binary, "exec", "-i", "web", "--", "run", **BY_SPDY)
    talking = asyncio.create_task(running.communicate(bytes(8 << 20)))
    stream = await bed.begun()
    await until(lambda: stream.ready.is_set() and not stream._credit)
    process.end(7)
    output, _ = await talking
    assert (running.returncode, len(output)) == (7, 300_000)


@pytest.mark.usefixtures("only_spdy")
@pytest.mark.parametrize("binary", ALL, ids=name_of)
async def test_kubectl_attach_passes_input_and_output(bed: Bed, binary: Path) -> None:
    process = bed.agent.machine.processes[""] = FakeProcess()
    process.put(b"a line")
    running = await bed.kubectl(binary, "attach", "-i", "web", **BY_SPDY)
    talking = asyncio.create_task(running.communicate(b"typed"))
    await process.input_closed.wait()
    process.end(None)
    output, _ = await talking
    assert (running.returncode, output, bytes(process.input)) == (0, b"a line", b"typed")


@pytest.mark.usefixtures("only_spdy")
@pytest.mark.parametrize("binary", KUBECTLS, ids=name_of)
async def test_kubectl_with_a_terminal(bed: Bed, binary: Path) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 43, 132, 0, 0))
    try:
        running = await bed.kubectl(binary, "exec", "-it", "web", "--", "run", terminal=theirs, **BY_SPDY)
        await until(lambda: process.sizes)
        os.write(ours, b"exit\r")
        await until(lambda: process.input)
        process.put(b"bye")
        process.end(0)
        assert await running.wait() == 0
        assert (process.sizes[0], bytes(process.input)) == ((132, 43), b"exit\r")
        assert os.read(ours, 1 << 16).endswith(b"bye")
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.usefixtures("only_spdy")
@pytest.mark.parametrize("binary", KUBECTLS, ids=name_of)
async def test_kubectl_cp_in_both_directions(bed: Bed, binary: Path, tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("data/file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    packing = bed.agent.machine.processes["tar"] = FakeProcess()
    packing.put(archive.getvalue())
    packing.end(0)
    running = await bed.kubectl(binary, "cp", "web:/data/file", str(tmp_path / "copy"), **BY_SPDY)
    _, errors = await running.communicate()
    assert running.returncode == 0, errors
    assert (tmp_path / "copy").read_bytes() == content

    unpacking = bed.agent.machine.processes["tar"] = FakeProcess()
    testing = bed.agent.machine.processes["test"] = FakeProcess()
    testing.end(1)
    running = await bed.kubectl(binary, "cp", str(tmp_path / "copy"), "web:/data/file", **BY_SPDY)
    talking = asyncio.create_task(running.communicate())
    await unpacking.input_closed.wait()
    unpacking.end(0)
    _, errors = await talking
    assert running.returncode == 0, errors
    with tarfile.open(fileobj=io.BytesIO(bytes(unpacking.input))) as tar:
        (name,) = tar.getnames()
        copied = tar.extractfile(name)
        assert copied is not None and copied.read() == content


async def test_the_streams_of_a_process_and_its_end(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    process.put(b"out")
    process.put(b"err", Channel.STDERR)
    async with connected(bed) as raw:
        assert raw.head.startswith("HTTP/1.1 101 ")
        assert {"Connection: Upgrade", "Upgrade: SPDY/3.1", f"X-Stream-Protocol-Version: {V4}"} <= set(
            raw.head.split("\r\n")
        )
        await raw.open("error", "stdin", "stdout", "stderr")
        await raw.send(data(3, b"in") + data(3, b"", flags=FIN))
        await process.input_closed.wait()
        process.end(3)
        await raw.receive(lambda: all(map(raw.ended, (1, 3, 5, 7))))
        assert (raw.received(5), raw.received(7), bytes(process.input)) == (b"out", b"err", b"in")
        status = json.loads(raw.received(1))
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
        await raw.receive(lambda: raw.kinds(7))
        assert raw.frames[-1].kind == 7 and not raw.closed
        await raw.send(spdyclient.GOAWAY)
        await raw.receive(lambda: False)
    assert raw.closed


async def test_a_client_that_does_not_close_is_closed(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spdyclients, "CLOSE_S", 0.05)
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with connected(bed, "command=run&stdout=1") as raw:
        await raw.open("error", "stdout")
        process.end(0)
        await raw.receive(lambda: False)
    assert raw.closed and raw.ended(1)


@pytest.mark.parametrize(
    ("exit_code", "text"), [(0, b""), (3, b"command terminated with non-zero exit code: exit status 3")]
)
async def test_older_protocols_end_with_a_text(bed: Bed, exit_code: int, text: bytes) -> None:
    bed.agent.machine.processes["run"] = process = FakeProcess()
    async with connected(
        bed, "command=run&stdout=1&tty=1", "v9.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io"
    ) as raw:
        assert "X-Stream-Protocol-Version: v2.channel.k8s.io\r\n" in raw.head
        await raw.open("error", "stdout")
        process.end(exit_code)
        await raw.receive(lambda: raw.ended(1))
    assert raw.received(1) == text


async def test_the_size_of_the_terminal_reaches_the_process_however_it_is_cut(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with connected(bed, "command=run&stdout=1&tty=1") as raw:
        await raw.open("error", "stdout", "resize")
        await raw.send(data(5, b'{"Width":132,"Hei') + data(5, b'ght":43}\n{"Width":80,"Height":24}\n'))
        await until(lambda: len(process.sizes) == 2)
    assert process.sizes == [(132, 43), (80, 24)]


async def test_streams_without_use_are_reset_and_the_others_go_on(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with connected(bed, "command=run&stdout=1") as raw:
        await raw.open("error", "stdin", "nonsense", "stdout", "stdout")
        await raw.receive(lambda: len(raw.kinds(3)) == 3)
        assert (raw.kinds(2), raw.kinds(3)) == ([1, 7], [3, 5, 9])
        process.put(b"x")
        await raw.receive(lambda: raw.received(7))


async def test_a_client_that_does_not_open_its_streams_is_left(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    monkeypatch.setattr(spdyclients, "STREAMS_S", 0.05)
    async with connected(bed) as raw:
        await raw.open("error", "stdin")
        await raw.receive(lambda: False)
    assert raw.closed
    await bed.agent.machine.process_ended.wait()


async def test_pings_are_answered_while_a_process_runs(bed: Bed) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    async with connected(bed) as raw:
        await raw.send(spdyclient.ping(1))
        await raw.receive(lambda: raw.kinds(6))
    assert raw.kinds(6) == [1]


async def test_bytes_that_break_the_rules_end_the_connection(bed: Bed) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    async with connected(bed) as raw:
        await raw.open("error", "stdin", "stdout", "stderr")
        await raw.receive(lambda: len(raw.kinds(2)) == 4)
        await raw.send(spdyclient.control(1, bytes(20)))
        await raw.receive(lambda: False)
    assert raw.closed and raw.frames[-1] == Frame(7, 7, b"\0\0\0\1")
    await bed.agent.machine.process_ended.wait()


async def test_a_client_that_goes_away_ends_the_streams_of_the_process(bed: Bed) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    async with connected(bed) as raw:
        await raw.open("error", "stdin", "stdout", "stderr")
        await until(lambda: bed.agent.machine.process_requests)
    await bed.agent.machine.process_ended.wait()
    await until(lambda: not bed.master.streams._streams)


async def test_a_process_that_writes_much_waits_for_a_client_that_does_not_read(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    block, number = b"x" * (64 << 10), 800
    for _ in range(number):
        process.put(block)
    process.end(0)
    async with connected(bed, "command=run&stdout=1") as raw:
        await raw.open("error", "stdout")
        stream = await bed.begun()
        await until(lambda: stream._waiting)
        assert not process._output.empty() and stream._waiting <= contract.STREAM_WINDOW_BYTES
        await raw.receive(lambda: raw.ended(1))
    assert len(raw.received(3)) == number * len(block)


async def test_a_client_that_writes_much_waits_for_a_process_that_does_not_read(bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    reads = asyncio.Event()
    write = process.write

    async def slow(data: bytes) -> None:
        await reads.wait()
        await write(data)

    process.write = slow  # type: ignore[method-assign]
    block, number = b"x" * (64 << 10), 800
    async with connected(bed) as raw:
        await raw.open("error", "stdin", "stdout", "stderr")

        async def send() -> None:
            for _ in range(number):
                await raw.send(data(3, block))
            await raw.send(data(3, b"", flags=FIN))

        sending = asyncio.create_task(send())
        stream = await bed.begun()
        await until(lambda: not stream._credit)
        assert not sending.done()
        reads.set()
        await process.input_closed.wait()
        await sending
    assert len(process.input) == number * len(block)


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        pytest.param({"X-Stream-Protocol-Version": V4}, 400, "Upgrade request required", id="no upgrade"),
        pytest.param({"Upgrade": "SPDY/3.1", "Connection": "Upgrade"}, 400, "names no protocol", id="no protocol"),
        pytest.param(
            {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": "v9,v8"},
            403,
            "unable to upgrade: unable to negotiate protocol: client supports [v9 v8], server accepts "
            "[v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]",
            id="no protocol of ours",
        ),
    ],
)
async def test_refusals_come_before_the_process_starts(
    bed: Bed, headers: dict[str, str], code: int, message: str
) -> None:
    address = bed.client.url(f"{POD}/exec?command=run&stdout=1")
    async with bed.session.post(address, headers=headers, ssl=bed.client.context) as response:
        assert response.status == code and message in (await response.json())["message"]
    assert not bed.agent.machine.process_requests
