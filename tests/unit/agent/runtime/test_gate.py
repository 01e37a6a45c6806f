"""Places of calls in progress: a call that is stuck gives its place to others."""

from __future__ import annotations

import asyncio

from agent.runtime.gate import Gate

SOON_S = 0.01
NEVER_S = 1000.0


async def enter(gate: Gate, entered: list[str], name: str, end: asyncio.Event) -> None:
    async with gate.entered():
        entered.append(name)
        await end.wait()


async def test_calls_wait_for_a_place() -> None:
    gate, entered, end = Gate(2, patience_s=NEVER_S), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(enter(gate, entered, name, end))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert entered == ["a", "b"]
        end.set()
    assert entered == ["a", "b", "c"]


async def test_a_call_that_is_stuck_loses_its_place_only_once() -> None:
    gate, entered = Gate(1, patience_s=SOON_S), list[str]()
    first, others = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(enter(gate, entered, "stuck", first))
        await asyncio.sleep(0)
        async with gate.entered():  # after the stuck call has lost its place
            assert entered == ["stuck"]
            first.set()
            await asyncio.sleep(0)
            waiting = group.create_task(enter(gate, entered, "waiting", others))
            await asyncio.sleep(0)
            assert entered == ["stuck"], "the end of the stuck call must not make a second place"
        others.set()
        await waiting
    assert entered == ["stuck", "waiting"]


async def test_progress_keeps_the_place() -> None:
    gate, loop = Gate(1, patience_s=SOON_S), asyncio.get_running_loop()
    entered, end = list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        async with gate.entered() as place:
            group.create_task(enter(gate, entered, "other", end))
            until = loop.time() + 5 * SOON_S
            while loop.time() < until:
                place.touch()
                await asyncio.sleep(0)
            assert entered == []
        end.set()
    assert entered == ["other"]


async def test_a_cancelled_wait_takes_no_place() -> None:
    gate, entered, end = Gate(1, patience_s=NEVER_S), list[str](), asyncio.Event()
    async with gate.entered():
        waiting = asyncio.create_task(enter(gate, entered, "cancelled", end))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    end.set()
    await enter(gate, entered, "next", end)
    assert entered == ["next"]
