"""The wall clock is set while something waits: every wait keeps its length."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Container, LogOptions, LogRequest, PodPhase
from agent.statuses import Running, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import UID, Bed, desired, pod

by_an_hour = pytest.mark.parametrize("ahead_s", [3600.0, -3600.0], ids=["ahead", "back"])


@by_an_hour
async def test_a_container_keeps_its_grace_period(bed: Bed, ahead_s: float) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        await manager.apply(desired(replace(pod(), deletion_at=bed.clock.wall(), grace_period_s=20)), complete=True)
        await bed.clock.advance(10)
        bed.clock.ahead_s = ahead_s
        await bed.clock.advance(9)
        assert bed.names() != []
        await bed.clock.advance(2)
        assert bed.names() == []


@by_an_hour
async def test_a_container_is_restarted_after_its_back_off(bed: Bed, ahead_s: float) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        bed.engine.end("sampan_u1_app_1", 1)
        await bed.clock.advance(4)
        bed.clock.ahead_s = ahead_s
        await bed.clock.advance(5)
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CrashLoopBackOff"
        await bed.clock.advance(2)
        assert bed.ready()


async def test_an_end_with_a_future_date_delays_the_restart_once(bed: Bed) -> None:
    """The agent was away when the clock was set back."""
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        for attempt in range(2):
            await settle()
            bed.engine.end(f"sampan_u1_app_{attempt}", 1)
        await settle()
    bed.clock.ahead_s = -3600.0
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await bed.clock.advance(11)
        assert bed.ready()


@by_an_hour
async def test_a_pod_keeps_its_active_deadline(bed: Bed, ahead_s: float) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod(active_deadline_s=100, grace_period_s=0)), complete=True)
        await bed.clock.advance(50)
        bed.clock.ahead_s = ahead_s
        await bed.clock.advance(49)
        assert bed.ready()
        await bed.clock.advance(2)
        assert bed.reporter.statuses[UID].phase is PodPhase.FAILED


@by_an_hour
async def test_a_failed_action_is_retried(bed: Bed, ahead_s: float) -> None:
    bed.network.failures.append(OSError("no room"))
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await bed.clock.advance(0.1)
        bed.clock.ahead_s = ahead_s
        assert not bed.ready()
        await bed.clock.advance(1)
        assert bed.ready()


@by_an_hour
async def test_a_pull_that_fails_meanwhile_changes_no_other_wait(bed: Bed, ahead_s: float) -> None:
    stuck = bed.engine.stick("pull")
    late = Container("late", "late:1")
    async with bed.running(pod(containers=(*pod().containers, late))):
        for attempt in range(2):
            bed.engine.end(f"sampan_u1_app_{attempt}", 1)
            await settle()
        await bed.clock.advance(4)
        bed.clock.ahead_s = ahead_s
        stuck.set()
        await bed.clock.advance(5)
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CrashLoopBackOff"
        await bed.clock.advance(2)
        assert isinstance(bed.state(), Running)


@by_an_hour
async def test_a_log_of_the_last_minutes_counts_by_the_clock_that_dates_its_lines(bed: Bed, ahead_s: float) -> None:
    """The master's clock differs from this one."""
    async with bed.running(pod()) as manager:
        bed.clock.ahead_s = ahead_s
        by_the_master = LogOptions(since_at=bed.clock.now - 600, since_s=600)
        async for _ in manager.logs(LogRequest("default", "web", UID, "app", by_the_master)):
            pass
        [asked] = bed.engine.logs_asked
        assert asked.since_at == bed.clock.wall() - 600
