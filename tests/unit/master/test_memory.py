"""Free memory is returned to the system after the process has grown; old garbage is collected when there is time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
import weakref
from collections.abc import Iterator

import pytest

from master import memory
from tests.fakes.clock import FakeClock


async def test_memory_is_returned_only_after_the_process_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, trims = FakeClock(), 0
    resident = 100 << 20

    def trim() -> None:
        nonlocal resident, trims
        resident, trims = 90 << 20, trims + 1

    monkeypatch.setattr(memory, "resident_bytes", lambda: resident)
    monkeypatch.setattr(memory, "_trim", trim)
    monkeypatch.setattr(asyncio, "to_thread", _call)
    monkeypatch.setattr(memory.OldObjects, "check", lambda _: None)
    running = asyncio.create_task(memory.run(clock))
    # Small growth is ignored. After large growth memory is trimmed at once, and again later, when more of it is free.
    for grown, expected in ((0, 0), (memory.GROWTH_BYTES, 0), (1, 1), (0, 2), (0, 3), (0, 3), (0, 4), (0, 4)):
        resident += grown
        await clock.advance(memory.PERIOD_S)
        assert trims == expected
    await clock.advance(1000 * memory.PERIOD_S)
    assert trims == len(memory.AGAIN), "no trims after the last of them"
    resident += memory.GROWTH_BYTES + 1
    await clock.advance(memory.PERIOD_S)
    assert trims == len(memory.AGAIN) + 1
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _call(work: object) -> None:
    assert callable(work)
    work()


def test_resident_bytes_are_those_of_this_process() -> None:
    before = memory.resident_bytes()
    held = bytearray(b"x") * (64 << 20)
    assert memory.resident_bytes() - before > 32 << 20
    assert len(held) == 64 << 20


class Knot:
    """An object in a cycle of references."""

    def __init__(self) -> None:
        self.knot = self


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector as the master sets it, for one test."""
    threshold = gc.get_threshold()
    memory.prepare()
    memory.freeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_nothing_is_collected_while_the_process_loads(collector: None) -> None:
    assert gc.isenabled()
    memory.prepare()
    assert not gc.isenabled()
    before = gc.get_freeze_count()
    loaded = [[] for _ in range(1000)]
    memory.freeze()
    assert gc.isenabled() and gc.get_freeze_count() >= before + len(loaded)


@pytest.mark.usefixtures("collector")
async def test_old_garbage_is_collected_only_when_there_is_little_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, used_s = FakeClock(), 0.0
    monkeypatch.setattr(time, "process_time", lambda: used_s)
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 1))
    old = memory.OldObjects(clock)
    await clock.advance(memory.SETTLED_AFTER_S)
    old.check()
    knot = Knot()
    # It survives two collections of younger objects: now it is old.
    gc.collect(0)
    gc.collect(1)
    garbage = weakref.ref(knot)
    del knot
    for busy, collected in ((0.9, False), (0.5, False), (0.1, True)):
        await clock.advance(memory.PERIOD_S)
        used_s += busy * memory.PERIOD_S
        old.check()
        assert (garbage() is None) is collected


@pytest.mark.usefixtures("collector")
async def test_what_is_there_after_the_start_is_not_visited_again() -> None:
    clock = FakeClock()
    old = memory.OldObjects(clock)
    before = gc.get_freeze_count()
    await clock.advance(memory.SETTLED_AFTER_S)
    old.check()
    assert gc.get_freeze_count() > before
