"""Statuses that only show that a pod is being started wait a little."""

from __future__ import annotations

from agent.model import PodPhase
from agent.pods.reports import PROGRESS_S
from agent.statuses import Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import Bed, pod


async def test_a_pod_that_runs_soon_is_reported_once(bed: Bed) -> None:
    async with bed.running(pod()):
        assert [status.phase for status in bed.reporter.history] == [PodPhase.RUNNING]


async def test_a_pod_that_takes_longer_is_reported_meanwhile(bed: Bed) -> None:
    stuck = bed.engine.stick("create")
    async with bed.running(pod()):
        await bed.clock.advance(PROGRESS_S / 2)
        assert not bed.reporter.history
        await bed.clock.advance(PROGRESS_S / 2)
        assert bed.state() == Waiting("ContainerCreating")
        stuck.set()
        await settle()
        assert [status.phase for status in bed.reporter.history] == [PodPhase.PENDING, PodPhase.RUNNING]


async def test_a_problem_is_reported_at_once(bed: Bed) -> None:
    bed.engine.present.clear()
    async with bed.running(pod()):
        assert isinstance(state := bed.state(), Waiting)
        assert state.reason == "ErrImagePull"
