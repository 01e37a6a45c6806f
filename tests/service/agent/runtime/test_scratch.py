"""Looking into images by containers that never run, on a fake engine."""

from __future__ import annotations

import asyncio
import tarfile

import pytest
from aiohttp import web

from agent.runtime.accounts import Accounts
from agent.runtime.client import Limits
from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import EngineFault, ImageNotFound, NoSuchContainer, TimedOut
from tests.fakes.docker_engine import FakeEngine
from tests.images import member, tar


def link(name: str, target: str) -> bytes:
    return tar([member(name, type=tarfile.SYMTYPE, linkname=target)])


async def test_accounts_are_read_once_for_each_image(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.files = {
        "/etc/passwd": link("passwd", "../usr/passwd"),
        "/etc/../usr/passwd": tar([member("passwd", b"app:x:1:2::/:")]),
    }
    # A killed agent has left its container.
    engine.add("sampan_image_web", status="created")
    found = await asyncio.gather(*(runtime.images.accounts_of("web:1") for _ in range(3)))
    assert found == [Accounts("app:x:1:2::/:", "")] * 3
    assert engine.containers == {}
    before = len(engine.requests)
    await runtime.images.accounts_of("web:1")
    assert not any("containers" in request for request in engine.requests[before:])
    with pytest.raises(ImageNotFound):
        await runtime.images.accounts_of("none:1")


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(b"no archive" * 100, id="not an archive"),
        pytest.param(tar([member("passwd", b"x" * (2 << 20))]), id="too large"),
    ],
)
async def test_a_file_that_cannot_be_read(engine: FakeEngine, runtime: DockerRuntime, archive: bytes) -> None:
    engine.files = {"/etc/passwd": archive}
    with pytest.raises(EngineFault, match="/etc/passwd"):
        await runtime.images.accounts_of("web:1")
    assert engine.containers == {}


async def test_a_link_to_itself_counts_as_missing(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.files = {"/etc/passwd": link("passwd", "passwd")}
    assert await runtime.images.accounts_of("web:1") == Accounts()


async def test_a_container_that_is_removed_meanwhile_is_an_error(engine: FakeEngine, runtime: DockerRuntime) -> None:
    def remove(request: web.Request) -> None:
        if request.path.endswith("/archive"):
            engine.containers.clear()

    engine.fails = remove
    with pytest.raises(NoSuchContainer):
        await runtime.images.accounts_of("web:1")


async def exported(runtime: DockerRuntime, image_id: str) -> bytes:
    return b"".join([piece async for piece in runtime.images.export(image_id)])


async def test_the_files_of_an_image_arrive_in_pieces(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.exported = [b"a" * 100_000, b"b"]
    assert await exported(runtime, "sha256:web") == b"a" * 100_000 + b"b"
    assert engine.containers == {}
    with pytest.raises(ImageNotFound):
        await exported(runtime, "sha256:none")


async def test_an_export_without_progress_fails(engine: FakeEngine) -> None:
    engine.exported = [b"a", None]
    runtime = DockerRuntime(engine.socket, limits=Limits(pull_progress_s=0.2))
    with pytest.raises(TimedOut, match="no progress"):
        await exported(runtime, "sha256:web")
    assert engine.containers == {}
    await runtime.close()


async def test_a_reader_that_stops_leaves_no_container(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.exported = [b"a", None]
    pieces = runtime.images.export("sha256:web")
    assert await anext(pieces) == b"a"
    await pieces.aclose()
    assert engine.containers == {}
