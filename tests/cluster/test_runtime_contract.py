"""The contract of runtimes for Docker, on the engine of a lab; and tests that need a real engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.model import LogOptions
from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import InvalidImageName, StartRefused
from agent.runtime.interface import ContainerPhase
from lab.lab import Lab, delete, in_parallel, leftovers
from lab.plugin.clusters import NAMES
from tests.unit.agent.runtime.contract import Bed, RuntimeContract, bed_of, collect

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
    await runtime.pull(IMAGE)
    await runtime.close()


@pytest.fixture
async def bed(socket: Path) -> AsyncIterator[Bed]:
    async with bed_of(DockerRuntime(socket), IMAGE) as made:
        yield made


class TestDockerRuntime(RuntimeContract):
    pass


async def test_logs_of_an_engine(bed: Bed) -> None:
    script = "for i in 1 2 3; do echo line $i; done; sleep 0.3; echo end"
    made = await bed.runtime.create(bed.spec("a", command=("sh", "-c", script)))
    await bed.runtime.start(made)
    followed = b"".join([piece async for piece in bed.runtime.logs(made, LogOptions(follow=True))])
    assert followed == b"line 1\nline 2\nline 3\nend\n"
    tail = b"".join([piece async for piece in bed.runtime.logs(made, LogOptions(tail_lines=1, timestamps=True))])
    assert tail.endswith(b"Z end\n") and tail.count(b"\n") == 1


@pytest.fixture
def collected() -> Iterator[None]:
    yield
    collect()


# A socket that is closed while a thread reads from it is only released by the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("collected")
async def test_logs_that_are_closed_early_end_their_thread(bed: Bed) -> None:
    made = await bed.runtime.create(bed.spec("a", command=("sh", "-c", "while true; do echo x; done")))
    await bed.runtime.start(made)
    stream = bed.runtime.logs(made, LogOptions(follow=True))
    async for piece in stream:
        assert piece.startswith(b"x\n")
        break
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_missing_command(bed: Bed) -> None:
    made = await bed.runtime.create(bed.spec("a", entrypoint=("/none",)))
    with pytest.raises(StartRefused, match="/none"):
        await bed.runtime.start(made)
    record = await bed.runtime.inspect(made)
    assert (record.phase, record.exit_code) == (ContainerPhase.EXITED, 127) and record.error


async def test_a_bad_image_name(bed: Bed) -> None:
    with pytest.raises(InvalidImageName):
        await bed.runtime.image_id("Bad@@Name")
