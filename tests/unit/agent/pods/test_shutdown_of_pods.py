"""The pods of a node that shuts down: in which order they end, and that they stay so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agent.model import Pod, PodPhase, PodUid, RestartPolicy
from agent.pods.manager import PodManager
from agent.pods.verdict import CRITICAL_PRIORITY, Verdict
from agent.statuses import Condition, PodStatus, Terminated
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import Bed, desired, pod

MESSAGE = "Pod was terminated in response to imminent node shutdown."
WEB = pod(grace_period_s=600)
DNS = replace(WEB, uid=PodUid("u2"), name="dns", priority=CRITICAL_PRIORITY)
LATE = replace(WEB, uid=PodUid("u3"), name="late")


def shown(bed: Bed, of: Pod) -> PodStatus:
    return bed.reporter.statuses[of.uid]


def ending(manager: PodManager, *, grace_s: int, critical_s: int) -> asyncio.Task[None]:
    return asyncio.create_task(manager.shut_down(grace_s=grace_s, critical_s=critical_s), name="shutdown")


async def test_critical_pods_end_after_the_others_and_none_runs_again(bed: Bed) -> None:
    bed.engine.ignores_term |= {"sampan_u1_app", "sampan_u2_app"}
    async with bed.running(WEB, DNS) as manager:
        shutdown = ending(manager, grace_s=30, critical_s=10)
        await bed.clock.advance(19)
        assert shown(bed, WEB).phase is PodPhase.RUNNING and bed.ready(DNS.uid)
        await bed.clock.advance(2)
        assert (shown(bed, WEB).phase, shown(bed, WEB).reason) == (PodPhase.FAILED, "Terminated")
        assert shown(bed, DNS).phase is PodPhase.RUNNING and not shutdown.done()
        await bed.clock.advance(10)
        assert shutdown.done() and shown(bed, DNS).phase is PodPhase.FAILED
        await shutdown
        assert "Terminated" not in bed.reporter.reasons()
    bed.reporter = FakeReporter()
    async with bed.running(WEB, DNS):
        for each in (WEB, DNS):
            assert (shown(bed, each).phase, shown(bed, each).message) == (PodPhase.FAILED, MESSAGE)
            assert isinstance(shown(bed, each).containers[0].state, Terminated)
            (condition,) = (one for one in shown(bed, each).conditions if one.type == "DisruptionTarget")
            expected = Condition("DisruptionTarget", "True", "TerminationByKubelet", MESSAGE)
            assert replace(condition, last_transition_at=0.0) == expected
        assert not any(record.running for record in bed.engine.named(""))


async def test_pods_that_end_in_time_hold_up_nothing(bed: Bed) -> None:
    async with bed.running(WEB, DNS) as manager:
        shutdown = ending(manager, grace_s=30, critical_s=0)
        await bed.clock.advance(1)
        await shutdown
        assert shown(bed, WEB).phase is shown(bed, DNS).phase is PodPhase.FAILED


async def test_a_pod_that_ended_before_stays_as_it_ended_and_a_new_one_is_refused(bed: Bed) -> None:
    web = replace(WEB, restart_policy=RestartPolicy.NEVER)
    async with bed.running(web) as manager:
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        shutdown = ending(manager, grace_s=30, critical_s=0)
        await settle()
        await manager.apply(desired(web, LATE), complete=True)
        await bed.clock.advance(1)
        await shutdown
        assert (shown(bed, web).phase, shown(bed, web).reason) == (PodPhase.SUCCEEDED, "")
        refused = shown(bed, LATE)
        assert (refused.phase, refused.reason) == (PodPhase.FAILED, "NodeShutdown")
        assert refused.message == "Pod was rejected: Pod was rejected as the node is shutting down."
        assert bed.engine.named("u3") == []


async def test_an_engine_that_is_stuck_does_not_hold_up_the_shutdown(bed: Bed) -> None:
    async with bed.running(WEB) as manager:
        bed.engine.stick("signal")
        shutdown = ending(manager, grace_s=10, critical_s=0)
        await bed.clock.advance(15)
        assert shutdown.done()
        await shutdown


def test_a_verdict_of_an_older_release_has_no_grace_period_of_its_own() -> None:
    verdict = Verdict.decode('{"phase": "Failed", "reason": "DeadlineExceeded", "message": "m"}')
    assert verdict == Verdict(PodPhase.FAILED, "DeadlineExceeded", "m")
    assert Verdict.decode(replace(verdict, grace_s=1, disruption="d").encode()).grace_s == 1
