"""Runs one probe of one container instance again and again, and reports only what changes its state.

Owns the timing: the period is from start to start, and a probe that takes longer delays the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from agent.clock import Clock
from agent.handlers import Probe
from agent.probes.interface import Prober, Result, ResultKind, Target
from agent.probes.thresholds import Tally

_GROUPS_PER_S: Final = 10

Decided = Callable[[bool], bool]
"""Takes the state by the probe, each time that a result confirms or changes it; True: the probe is done."""
Troubled = Callable[[Result], None]
"""Takes each result that is not a plain success."""


async def run_probe(
    probe: Probe,
    target: Target,
    prober: Prober,
    clock: Clock,
    *,
    delay_s: float,
    decided: Decided,
    troubled: Troubled,
) -> None:
    """Probe until `decided` says that it is enough, or until cancelled. The first probe comes after `delay_s`."""
    if delay_s > 0:
        await clock.sleep(delay_s)
    tally = Tally()
    while True:
        began = clock.monotonic()
        result = await prober.probe(probe.handler, target, timeout_s=probe.timeout_s)
        if result.kind is not ResultKind.SUCCESS:
            troubled(result)
        if result.kind is not ResultKind.ERROR:
            tally = tally.after(result.passed)
            state = tally.decision(probe)
            if state is not None and decided(state):
                return
        await clock.sleep(max(0.0, aligned(began + probe.period_s) - clock.monotonic()))


def aligned(due: float) -> float:
    """The last moment of the common grid that is not after `due`. The probes of all pods then run in a few groups a
    second, and the process sleeps in between: waking it up costs more than a probe.
    """
    # The epsilon keeps a moment of the grid where it is.
    return math.floor(due * _GROUPS_PER_S + 1e-6) / _GROUPS_PER_S
