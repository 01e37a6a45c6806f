"""The work queue: each key queued once, handled by one worker at a time, retried after a failure; and expectations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from msgspec.structs import replace

from master import kinds
from master.api.errors import Unavailable
from master.controllers.workload.expectations import Expectations
from master.controllers.workqueue import WorkQueue
from tests.fakes.clock import FakeClock, settle
from tests.fakes.cluster import FakeCluster


@asynccontextmanager
async def running(queue: WorkQueue[str], handler: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(queue.run(handler, workers=3))
        await settle()
        try:
            yield
        finally:
            task.cancel()


async def test_a_key_added_many_times_is_handled_once() -> None:
    queue: WorkQueue[str] = WorkQueue("test", FakeClock())
    seen: list[str] = []

    async def handler(key: str) -> None:
        seen.append(key)

    for key in ("a", "b", "a", "a"):
        queue.add(key)
    async with running(queue, handler):
        assert seen == ["a", "b"]


async def test_a_key_added_while_it_is_handled_is_handled_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue("test", FakeClock())
    gate = asyncio.Event()
    begun: list[str] = []

    async def handler(key: str) -> None:
        begun.append(key)
        await gate.wait()

    queue.add("a")
    async with running(queue, handler):
        queue.add("a")
        queue.add("a")
        await settle()
        assert begun == ["a"]
        gate.set()
        await settle()
        assert begun == ["a", "a"]


async def test_failures_are_retried_with_back_off() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue("test", clock)
    times: list[float] = []

    async def handler(key: str) -> None:
        times.append(clock.monotonic())
        if len(times) < 5:
            raise Unavailable("not now")
        if len(times) == 5:
            raise RuntimeError("a bug")

    queue.add("a")
    async with running(queue, handler):
        await clock.advance(10)
        pauses = [round(b - a, 3) for a, b in pairwise(times)]
        assert pauses == [0.005, 0.01, 0.02, 0.04, 0.08]


async def test_of_several_delays_the_earliest_time_counts() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue("test", clock)
    times: list[float] = []

    async def handler(key: str) -> None:
        times.append(clock.monotonic())

    queue.add_after("a", 10)
    async with running(queue, handler):
        queue.add_after("a", 5)
        queue.add_after("a", 20)
        await clock.advance(30)
        assert times == [1005.0]


async def test_each_delayed_key_is_handled_at_its_time() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue("test", clock)
    times: list[tuple[str, float]] = []

    async def handler(key: str) -> None:
        times.append((key, clock.monotonic()))

    for key, delay_s in (("c", 30), ("a", 10), ("b", 20), ("also b", 20)):
        queue.add_after(key, delay_s)
    async with running(queue, handler):
        queue.add_after("first", 5)
        queue.add_after("c", 1)
        await clock.advance(100)
        queue.add_after("last", 7)
        await clock.advance(100)
    assert times == [("c", 1001), ("first", 1005), ("a", 1010), ("b", 1020), ("also b", 1020), ("last", 1107)]


async def test_other_tasks_run_while_a_handler_has_nothing_to_wait_for() -> None:
    queue: WorkQueue[str] = WorkQueue("test", FakeClock())
    handled: list[str] = []
    seen: list[int] = []

    async def handler(key: str) -> None:
        handled.append(key)

    for number in range(50):
        queue.add(str(number))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(queue.run(handler, workers=3))
        while len(handled) < 50:
            await asyncio.sleep(0)
            seen.append(len(handled))
        task.cancel()
    assert len(seen) >= 50 // 3
    assert handled == [str(number) for number in range(50)]


async def test_expectations_wait_for_the_cache() -> None:
    cluster = await FakeCluster.make()
    await cluster.node("n1")
    expectations: Expectations[str] = Expectations(cluster.cache)
    made = await cluster.pod("a", node="n1")
    ahead = replace(made, metadata=replace(made.metadata, resource_version=str(cluster.cache.revision + 1)))
    expectations.created("key", ahead)
    assert not expectations.met("key")
    await cluster.pod("b")
    assert expectations.met("key")
    expectations.deleted("key", made)
    assert not expectations.met("key")
    await cluster.delete(kinds.POD, "a")
    assert expectations.met("key")
