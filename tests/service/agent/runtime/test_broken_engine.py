"""Pods on an engine that hangs at some containers, or restarts: all become as desired."""

from __future__ import annotations

import pytest

from tests.fakes.docker_engine import FakeEngine
from tests.fakes.sessions import until
from tests.service.agent.runtime.node import Node, desired
from tests.unit.agent.fakes import FakeReporter

pytestmark = pytest.mark.timeout(30)


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
