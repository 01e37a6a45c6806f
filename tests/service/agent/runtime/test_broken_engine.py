"""Pods on an engine that hangs at some containers, fails half of its calls, or restarts: all become as desired."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from agent.model import Container, Desired, Pod, PodUid
from agent.pods.interface import PodsConfig
from agent.pods.manager import PodManager
from agent.runtime.docker import DockerRuntime
from agent.volumes.manager import Volumes
from tests.fakes.docker_engine import FakeEngine
from tests.fakes.sessions import until
from tests.unit.agent.fakes import FakeBinds, FakeIssuer, FakeMemoryFiles, FakeNetwork, FakeProber, FakeReporter

pytestmark = pytest.mark.timeout(30)

IMAGE = "web:1"


class FastClock:
    """A hundred seconds pass in one."""

    def wall(self) -> float:
        return time.time() * 100

    def monotonic(self) -> float:
        return time.monotonic() * 100

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


class Node:
    """The pods of a node, and what they report."""

    def __init__(self, runtime: DockerRuntime, directory: Path) -> None:
        self.reporter = FakeReporter()
        self._directory = directory
        self._runtime = runtime

    @asynccontextmanager
    async def running(self) -> AsyncIterator[PodManager]:
        """One life of the agent."""
        volumes = Volumes(
            state_dir=self._directory,
            host_path_root=self._directory / "root",
            memory=FakeMemoryFiles(),
            binds=FakeBinds(),
        )
        config = PodsConfig(
            cluster_id="c1", node_name="n1", state_dir=self._directory, resolv_conf=self._directory / "none"
        )
        manager = PodManager(
            self._runtime,
            FakeNetwork(),
            volumes,
            self.reporter,
            FastClock(),
            config,
            prober=FakeProber(),
            tokens=FakeIssuer(),
            processes=self._runtime.exec,
        )
        task = asyncio.create_task(manager.run(), name="manager")
        try:
            yield manager
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    def ready(self, *names: str) -> bool:
        """Whether all these pods are Ready."""
        statuses = [self.reporter.statuses.get(PodUid(name)) for name in names]
        return all(
            status is not None and any(each.type == "Ready" and each.status == "True" for each in status.conditions)
            for status in statuses
        )


@pytest.fixture
def node(runtime: DockerRuntime, engine: FakeEngine, tmp_path: Path) -> Node:
    engine.images["sampan/pause:1"] = {"Id": "sha256:pause", "Config": {"User": ""}}
    return Node(runtime, tmp_path / "state")


def desired(*names: str) -> Desired:
    pods = (Pod(PodUid(name), "default", name, containers=(Container("app", IMAGE),)) for name in names)
    return Desired(pods={pod.uid: pod for pod in pods}, host_ip="192.0.2.7")


async def test_containers_that_are_stuck_keep_no_other_pod_waiting(engine: FakeEngine, node: Node) -> None:
    async with node.running() as manager:
        await manager.apply(desired("a", "b", "c"), complete=True)
        await until(lambda: node.ready("a", "b", "c"))
    stuck = [
        made for made, each in engine.containers.items() if "_app_" in each["Name"] and "c_app" not in each["Name"]
    ]
    assert len(stuck) == 2
    engine.hangs = lambda request: any(each in request.path for each in stuck)
    before = set(engine.containers)
    node.reporter = FakeReporter()
    async with node.running() as manager:
        await manager.apply(desired("a", "b", "c", "new"), complete=True)
        await until(lambda: node.ready("c", "new"))
        await manager.apply(desired("a", "b", "c"), complete=True)
        await until(lambda: set(engine.containers) == before)


async def test_events_are_taken_while_containers_are_listed(engine: FakeEngine, node: Node) -> None:
    stuck = engine.add("stuck")
    engine.hangs = lambda request: request.path.endswith("/containers/json")
    async with node.running() as manager:
        await manager.apply(desired("a"), complete=True)
        await engine.hung.acquire()
        for _ in range(20_000):
            engine.publish("start", stuck)
        await until(lambda: engine.unread_events == 0)


@pytest.mark.parametrize("status", [500, 503])
async def test_an_engine_that_fails_half_of_its_calls(engine: FakeEngine, node: Node, status: int) -> None:
    luck = random.Random(15)

    def fails(request: web.Request) -> web.StreamResponse | None:
        return web.json_response({"message": "no luck"}, status=status) if luck.random() < 0.5 else None

    engine.fails = fails
    async with node.running() as manager:
        await manager.apply(desired("a", "b"), complete=True)
        await until(lambda: node.ready("a", "b"))
        names = sorted(each["Name"] for each in engine.containers.values())
        assert [name.rsplit("_", 1)[0] for name in names] == [
            "/sampan_a_POD",
            "/sampan_a_app",
            "/sampan_b_POD",
            "/sampan_b_app",
        ]


async def test_an_engine_that_is_slower_than_calls_that_count_as_stuck(engine: FakeEngine, node: Node) -> None:
    engine.delay_s = 0.05
    async with node.running() as manager:
        await manager.apply(desired("a", "b", "c"), complete=True)
        await until(lambda: node.ready("a", "b", "c"))
        assert len(engine.containers) == 6
        await manager.apply(desired(), complete=True)
        await until(lambda: not engine.containers)


async def test_pods_come_back_with_their_engine(engine: FakeEngine, node: Node) -> None:
    async with node.running() as manager:
        await manager.apply(desired("a"), complete=True)
        await until(lambda: node.ready("a"))
        await engine.stop()
        for made in engine.containers:
            engine.set_status(made, "exited", 137)
        engine.minimum_version = "1.44"
        await engine.start()
        await until(lambda: len([each for each in engine.containers.values() if each["State"]["Running"]]) == 2)
