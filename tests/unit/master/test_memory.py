"""After the process has grown, free memory is returned to the system; otherwise nothing is done."""

from __future__ import annotations

import asyncio
import contextlib

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
