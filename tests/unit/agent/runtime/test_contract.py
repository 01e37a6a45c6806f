"""The engine in memory is held to the runtime's contract; the Docker client without an engine. The contract with one is
tests/cluster/test_runtime_contract.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import EngineGone
from agent.runtime.fake import FakeRuntime
from tests.unit.agent.runtime.contract import Bed, RuntimeContract, bed_of, collect


class TestFakeRuntime(RuntimeContract):
    @pytest.fixture
    async def bed(self) -> AsyncIterator[Bed]:
        fake = FakeRuntime(SystemClock())
        fake.images = {"test/image:1": "sha256:image"}
        async with bed_of(fake, "test/image:1") as made:
            yield made


@pytest.fixture
def collected() -> Iterator[None]:
    yield
    collect()


# The SDK drops the socket that it could not connect without closing it.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("collected")
async def test_engine_that_is_not_there(tmp_path: Path) -> None:
    runtime = DockerRuntime(tmp_path / "none.sock")
    with pytest.raises(EngineGone):
        await runtime.version()
    with pytest.raises(EngineGone):
        async with runtime.events({}):
            pass
    await runtime.close()
