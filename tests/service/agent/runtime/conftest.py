"""A fake engine on a socket, and the runtime that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.runtime.client import Limits
from agent.runtime.docker import DockerRuntime
from tests.fakes.docker_engine import FakeEngine, serving
from tests.service.agent.runtime.node import Node


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    async with serving(tmp_path / "engine.sock") as made:
        yield made


@pytest.fixture
async def runtime(engine: FakeEngine) -> AsyncIterator[DockerRuntime]:
    """Limits are as in the product, but for those of calls that are stuck: tests need not wait for them."""
    made = DockerRuntime(engine.socket, limits=Limits(look_s=0.05, stuck_s=0.02, pull_stuck_s=0.02))
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def node(runtime: DockerRuntime, engine: FakeEngine, tmp_path: Path) -> Node:
    engine.images["sampan/pause:1"] = {"Id": "sha256:pause", "Config": {"User": ""}}
    return Node(runtime, tmp_path / "state")
