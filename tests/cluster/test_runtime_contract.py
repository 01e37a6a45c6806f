"""The contract of runtimes for Docker, on the engine of a lab; and tests that need a real engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import LogOptions
from agent.runtime.client import EngineClient
from agent.runtime.containers import Privileges
from agent.runtime.docker import DockerRuntime
from agent.runtime.dockerexec import DockerExec
from agent.runtime.errors import NoSuchContainer, NotRunning, StartRefused, TimedOut
from agent.runtime.process import MAX_OUTPUT_BYTES, Channel, Command, Process
from agent.runtime.records import ContainerId, ContainerPhase
from lab.lab import Lab, delete, in_parallel, leftovers
from lab.plugin.clusters import NAMES
from tests.images import image
from tests.unit.agent.runtime.contract import Bed, RuntimeContract, bed_of

IMAGE = "tomcat"


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    """The socket of an engine that has the image, in a lab without a cluster."""
    lab = Lab(NAMES.new())

    def images() -> None:
        lab.start_registry()
        lab.push_images()

    try:
        lab.create(nodes=1)
        in_parallel([lab.start_engines, images], lambda work: work())
        path = lab.layout.host("node1").engine_socket
        asyncio.run(_pull(path))
        yield path
    finally:
        delete(lab.name)
        assert list(leftovers(lab.name)) == []


async def _pull(socket: Path) -> None:
    runtime = DockerRuntime(socket)
    await runtime.images.pull(IMAGE)
    await runtime.close()


@pytest.fixture
async def bed(socket: Path) -> AsyncIterator[Bed]:
    async with bed_of(DockerRuntime(socket), IMAGE) as made:
        yield made


@pytest.fixture
async def exec_(socket: Path) -> AsyncIterator[DockerExec]:
    client = EngineClient(socket)
    yield DockerExec(client)
    await client.close()


class TestDockerRuntime(RuntimeContract):
    pass


async def test_logs_of_an_engine(bed: Bed) -> None:
    script = "for i in 1 2 3; do echo line $i; done; sleep 0.3; echo end"
    made = await bed.runtime.containers.create(bed.spec("a", command=("sh", "-c", script)))
    await bed.runtime.containers.start(made)
    followed = b"".join([piece async for piece in bed.runtime.containers.logs(made, LogOptions(follow=True))])
    assert followed == b"line 1\nline 2\nline 3\nend\n"
    tail = b"".join(
        [piece async for piece in bed.runtime.containers.logs(made, LogOptions(tail_lines=1, timestamps=True))]
    )
    assert tail.endswith(b"Z end\n") and tail.count(b"\n") == 1


async def test_logs_can_be_closed_early(bed: Bed) -> None:
    made = await bed.runtime.containers.create(bed.spec("a", command=("sh", "-c", "while true; do echo x; done")))
    await bed.runtime.containers.start(made)
    stream = bed.runtime.containers.logs(made, LogOptions(follow=True))
    async for piece in stream:
        assert piece.startswith(b"x\n")
        break
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_user_with_a_group_has_no_groups_of_the_image(bed: Bed) -> None:
    """On which supplementalGroupsPolicy Strict relies."""
    reference = "test/accounts:1"
    files = {"etc/passwd": "app:x:1000:2000::/:/none\n", "etc/group": "app:x:2000:\nwheel:x:10:app\n3:x:0:\n"}
    await bed.runtime.images.load(image(reference, files, user="app"))
    accounts = await bed.runtime.images.accounts_of(reference)
    assert (accounts.passwd, accounts.group) == tuple(files.values())

    async def groups(name: str, **more: object) -> set[str]:
        spec = replace(bed.spec(name), image=reference, privileges=Privileges(**more))  # type: ignore[arg-type]
        made = await bed.runtime.containers.create(spec)
        await bed.runtime.containers.start(made)
        status = Path(f"/proc/{(await bed.runtime.containers.inspect(made)).pid}/status").read_text()
        return set(next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:])

    assert "10" in await groups("merged", groups=(7,))
    assert await groups("strict", user="1000:2000", groups=(7,)) - {"2000"} == {"7"}
    # Docker takes the name for the number: `check_groups` refuses that.
    assert "0" in await groups("named", user="1000:2000", groups=(3,))
    assert await bed.runtime.list({}) == await bed.runtime.list(bed.labels)


async def test_a_missing_command(bed: Bed) -> None:
    made = await bed.runtime.containers.create(bed.spec("a", entrypoint=("/none",)))
    with pytest.raises(StartRefused, match="/none"):
        await bed.runtime.containers.start(made)
    record = await bed.runtime.containers.inspect(made)
    assert (record.phase, record.exit_code) == (ContainerPhase.EXITED, 127) and record.error


async def test_a_command_runs_to_its_end(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.running("a")
    result = await exec_.run(made, ("sh", "-c", "echo out; echo err >&2; exit 3"), timeout_s=30)
    assert (result.exit_code, sorted(result.output.split())) == (3, [b"err", b"out"])
    long = await exec_.run(made, ("sh", "-c", "head -c 300000 /dev/zero"), timeout_s=30)
    assert (long.exit_code, len(long.output)) == (0, MAX_OUTPUT_BYTES)
    missing = await exec_.run(made, ("/none",), timeout_s=30)
    assert missing.exit_code in {126, 127} and b"/none" in missing.output


async def test_a_command_in_a_container_that_does_not_run(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.runtime.containers.create(bed.spec("a"))
    with pytest.raises(NotRunning):
        await exec_.run(made, ("true",), timeout_s=30)
    with pytest.raises(NoSuchContainer):
        await exec_.run(ContainerId("f" * 64), ("true",), timeout_s=30)


async def test_a_command_is_killed_at_its_deadline(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.running("a")
    with pytest.raises(TimedOut):
        await exec_.run(made, ("sleep", "999"), timeout_s=1)
    await _gone(exec_, made, b"999")


async def test_a_command_of_a_caller_that_is_cancelled_is_killed(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.running("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await exec_.run(made, ("sleep", "888"), timeout_s=600)
    await _gone(exec_, made, b"888")


async def test_a_command_with_a_terminal_is_hung_up_when_its_client_goes(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.running("a")
    script = "echo begun; sleep 777; :"
    with pytest.raises(ConnectionResetError):
        async with exec_.exec(made, Command(("sh", "-c", script), stdin=True, tty=True)) as process:
            assert await process.read() is not None
            raise ConnectionResetError("the client has gone")
    await _gone(exec_, made, b"777")  # the kernel hangs up the rest of the session


async def _gone(exec_: DockerExec, container: ContainerId, argument: bytes) -> None:
    """Wait until no process in the container has this argument."""
    async with asyncio.timeout(30):
        while argument in (await exec_.run(container, ("sh", "-c", "cat /proc/[0-9]*/cmdline"), timeout_s=30)).output:
            pass  # each look is a call to the engine


async def test_input_reaches_a_command_and_its_end_too(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.running("a")
    data = bytes(range(256)) * 8000
    async with exec_.exec(made, Command(("cat",), stdin=True)) as process:
        writing = asyncio.create_task(_feed(process, data))
        received = bytearray()
        while (piece := await process.read()) is not None:
            assert piece[0] is Channel.STDOUT
            received += piece[1]
        await writing
        assert await process.exit_code() == 0
    assert bytes(received) == data


async def _feed(process: Process, data: bytes) -> None:
    for start in range(0, len(data), 50_000):
        await process.write(data[start : start + 50_000])
    await process.close_input()


async def test_a_terminal_has_a_size(bed: Bed, exec_: DockerExec) -> None:
    made = await bed.running("a")
    # The command waits for a line, so that its size is set before it looks.
    async with exec_.exec(made, Command(("sh", "-c", "read x; stty size"), stdin=True, tty=True)) as process:
        await process.resize(width=91, height=17)
        await process.write(b"x\n")
        received = b""
        while (piece := await process.read()) is not None:
            received += piece[1]
    assert b"17 91" in received


async def test_streams_of_the_main_process(bed: Bed, exec_: DockerExec) -> None:
    spec = bed.spec("a", command=("sh", "-c", "read x; echo got $x; echo bad >&2; exit 5"), stdin=True)
    made = await bed.runtime.containers.create(spec)
    await bed.runtime.containers.start(made)
    async with exec_.attach(made, Command((), stdin=True)) as process:
        await process.write(b"word\n")
        pieces = []
        while (piece := await process.read()) is not None:
            pieces.append(piece)
        assert await process.exit_code() == 5
    assert sorted(pieces) == [(Channel.STDOUT, b"got word\n"), (Channel.STDERR, b"bad\n")]
