"""The runtime's contract with the engine in memory, and the Docker client without an engine. With a real engine:
tests/cluster/test_runtime_contract.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import EngineGone
from agent.runtime.fake import FakeRuntime
from tests.unit.agent.runtime.contract import Bed, RuntimeContract, bed_of


class TestFakeRuntime(RuntimeContract):
    @pytest.fixture
    async def bed(self) -> AsyncIterator[Bed]:
        fake = FakeRuntime(SystemClock())
        fake.present = {"test/image:1": "sha256:image"}
        async with bed_of(fake, "test/image:1") as made:
            yield made


async def test_a_missing_engine_raises_engine_gone(tmp_path: Path) -> None:
    runtime = DockerRuntime(tmp_path / "none.sock")
    with pytest.raises(EngineGone):
        await runtime.version()
    with pytest.raises(EngineGone):
        async with runtime.events({}):
            pass
    await runtime.close()
