"""When probes run."""

from __future__ import annotations

import asyncio

import pytest

from agent.handlers import Handler, Probe, TcpConnect
from agent.probes.interface import PASSED, Result, Target
from agent.probes.runner import aligned, run_probe
from agent.runtime.records import ContainerId
from tests.unit.agent.fakes import FakeProber, HandClock

TARGET = Target(ContainerId("c"), "10.0.0.2")


class SlowProber(FakeProber):
    """Its probes take some time."""

    def __init__(self, clock: HandClock, took_s: float) -> None:
        super().__init__()
        self.clock = clock
        self.took_s = took_s
        self.times: list[float] = []

    async def probe(self, handler: Handler, target: Target, *, timeout_s: float) -> Result:
        self.times.append(round(self.clock.monotonic(), 3))
        if self.took_s:
            await self.clock.sleep(self.took_s)
        return PASSED


@pytest.mark.parametrize(
    ("took_s", "delay_s", "times"),
    [
        (0, 0, [0, 5, 10, 15, 20]),
        (2, 3, [3, 8, 13, 18]),
        (7, 0, [0, 7, 14]),
        # After the first one, probes run on the common grid.
        (0, 0.16, [0.16, 5.1, 10.1, 15.1, 20.1]),
    ],
)
async def test_the_period_is_from_start_to_start(took_s: float, delay_s: float, times: list[float]) -> None:
    clock = HandClock(now=0.0)
    prober = SlowProber(clock, took_s)
    probe = Probe(TcpConnect(1), period_s=5, timeout_s=10)
    task = asyncio.create_task(
        run_probe(
            probe, TARGET, prober, clock, delay_s=delay_s, decided=lambda passed: False, troubled=lambda result: None
        )
    )
    await clock.advance(20.5)
    task.cancel()
    assert prober.times == times


@pytest.mark.parametrize("moment", [0.0, 0.3, 1_000_030.0, 1_700_000_000.7])
def test_a_moment_of_the_grid_stays(moment: float) -> None:
    assert aligned(moment) == pytest.approx(moment, abs=1e-6)
    assert moment - 0.1 < aligned(moment + 0.0999) <= moment + 0.0999
