"""Sidecars: they start in their place among the init containers, run beside the containers, and stop last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Container, Pod, PodPhase, RestartPolicy
from agent.statuses import Running, Terminated, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod


def init(name: str) -> Container:
    return Container(name, IMAGE)


def sidecar(name: str) -> Container:
    return Container(name, IMAGE, restart_policy=RestartPolicy.ALWAYS)


def calls(bed: Bed, what: str) -> list[str]:
    """The names of the containers of these calls, without the sandbox."""
    names = [name.split("_", 2)[2] for call, name in bed.engine.calls if call == what]
    return [name for name in names if not name.startswith("POD")]


def running(bed: Bed) -> list[str]:
    return [record.name.split("_", 2)[2] for record in bed.engine.named("") if record.running]


async def crash_twice(bed: Bed, *, exit_code: int) -> None:
    """The sidecar `s` ends, is restarted at once, ends again, and backs off."""
    for attempt in (0, 1):
        bed.engine.end(f"sampan_u1_s_{attempt}", exit_code)
        await settle()


async def test_each_starts_when_it_is_its_turn(bed: Bed) -> None:
    web = pod(init_containers=(init("a"), sidecar("s"), init("b"), sidecar("t")))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        assert calls(bed, "start") == ["a_0"]
        bed.engine.end("sampan_u1_a_0", 0)
        await settle()
        assert running(bed) == ["POD_0", "b_0", "s_0"]
        status = bed.reporter.statuses[UID]
        assert status.phase is PodPhase.PENDING and not bed.ready()
        assert [each.ready for each in status.init_containers] == [True, True, False, False]
        bed.engine.end("sampan_u1_b_0", 0)
        await settle()
        assert calls(bed, "start") == ["a_0", "s_0", "b_0", "t_0", "app_0"]
        assert bed.ready() and bed.reporter.statuses[UID].phase is PodPhase.RUNNING


async def test_one_that_ends_is_restarted_alone_and_the_pod_is_not_ready_meanwhile(bed: Bed) -> None:
    web = pod(init_containers=(sidecar("s"),), restart_policy=RestartPolicy.NEVER)
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        await crash_twice(bed, exit_code=0)
        state = bed.reporter.statuses[UID].init_containers[0].state
        assert isinstance(state, Waiting) and state.reason == "CrashLoopBackOff"
        assert not bed.ready() and isinstance(bed.state(), Running)
        await bed.clock.advance(11)
        assert bed.ready() and running(bed) == ["POD_0", "app_0", "s_2"]
        assert bed.reporter.statuses[UID].phase is PodPhase.RUNNING


async def test_one_that_crashes_again_and_again_does_not_hold_up_its_successors(bed: Bed) -> None:
    web = pod(init_containers=(sidecar("s"), init("a"), init("b")))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        await crash_twice(bed, exit_code=1)
        bed.engine.end("sampan_u1_a_0", 0)
        await settle()
        assert running(bed) == ["POD_0", "b_0"]
        bed.engine.end("sampan_u1_b_0", 0)
        await settle()
        assert running(bed) == ["POD_0", "app_0"] and not bed.ready()
        await bed.clock.advance(11)
        assert running(bed) == ["POD_0", "app_0", "s_2"] and bed.ready()


async def test_one_that_ends_before_its_successors_started_is_restarted_beside_them(bed: Bed) -> None:
    web = pod(init_containers=(sidecar("s"), init("a")))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        bed.engine.end("sampan_u1_s_0", 1)
        bed.engine.end("sampan_u1_a_0", 0)
        await settle()
        assert running(bed) == ["POD_0", "app_0", "s_1"]
        assert set(calls(bed, "start")) == {"s_0", "a_0", "s_1", "app_0"}


@pytest.mark.parametrize(("exit_code", "phase"), [(0, PodPhase.SUCCEEDED), (1, PodPhase.FAILED)])
async def test_they_end_with_the_containers_and_their_exit_codes_do_not_count(
    bed: Bed, exit_code: int, phase: PodPhase
) -> None:
    web = pod(init_containers=(sidecar("s"),), restart_policy=RestartPolicy.NEVER)
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        assert running(bed) == []
        status = bed.reporter.statuses[UID]
        assert status.phase is phase
        state = status.init_containers[0].state
        assert isinstance(state, Terminated) and state.exit_code == 143


async def test_the_pod_has_not_ended_while_one_runs(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_s")
    web = pod(init_containers=(sidecar("s"),), restart_policy=RestartPolicy.NEVER, grace_period_s=10)
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        status = bed.reporter.statuses[UID]
        assert status.phase is PodPhase.RUNNING and isinstance(status.containers[0].state, Terminated)
        await bed.clock.advance(11)
        assert bed.reporter.statuses[UID].phase is PodPhase.FAILED
        # The sandbox is gone by now; the pod has been initialized all the same.
        true = {each.type for each in bed.reporter.statuses[UID].conditions if each.status == "True"}
        assert "Initialized" in true


async def test_a_stop_of_a_container_for_its_image_takes_no_time_from_a_later_deletion(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_s")
    web = pod(init_containers=(sidecar("s"),), containers=(Container("app", "missing:1"),), grace_period_s=30)
    async with bed.manager() as manager:
        await manager.apply(desired(pod(init_containers=(sidecar("s"),), grace_period_s=30)), complete=True)
        await settle()
        await manager.apply(desired(web), complete=True)
        await bed.clock.advance(100)
        await manager.apply(desired(replace(web, deletion_at=1.0)), complete=True)
        await bed.clock.advance(29)
        assert running(bed) == ["POD_0", "s_0"]
        await bed.clock.advance(2)
        assert running(bed) == []


def three(**more: object) -> Pod:
    return pod(init_containers=(sidecar("s"), sidecar("t")), grace_period_s=30, **more)


async def test_a_deletion_stops_them_last_and_in_reverse_order(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(three()), complete=True)
        await settle()
        await manager.apply(desired(three(deletion_at=1.0)), complete=True)
        await settle()
        assert calls(bed, "signal") == ["app_0 SIGTERM", "t_0 SIGTERM", "s_0 SIGTERM"]
        assert bed.reporter.gone == [UID]


async def test_all_share_the_grace_period_and_each_sidecar_gets_two_seconds(bed: Bed) -> None:
    bed.engine.ignores_term |= {"sampan_u1_app", "sampan_u1_s", "sampan_u1_t"}
    async with bed.manager() as manager:
        await manager.apply(desired(three()), complete=True)
        await settle()
        await manager.apply(desired(three(deletion_at=1.0)), complete=True)
        await bed.clock.advance(20)
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        await bed.clock.advance(9.5)
        assert calls(bed, "signal") == ["app_0 SIGTERM", "t_0 SIGTERM"]
        await bed.clock.advance(1)
        assert calls(bed, "signal")[2:] == ["t_0 SIGKILL", "s_0 SIGTERM"]
        await bed.clock.advance(1.4)
        assert len(calls(bed, "signal")) == 4
        await bed.clock.advance(1)
        assert calls(bed, "signal")[4:] == ["s_0 SIGKILL"]
        assert bed.reporter.gone == [UID]


async def test_without_a_grace_period_all_are_killed_at_once(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(three()), complete=True)
        await settle()
        bed.engine.calls.clear()
        await manager.apply(
            desired(pod(init_containers=three().init_containers, deletion_at=1.0, grace_period_s=0)), complete=True
        )
        await settle()
        assert sorted(calls(bed, "signal")) == ["app_0 SIGKILL", "s_0 SIGKILL", "t_0 SIGKILL"]


@pytest.mark.parametrize(
    ("own", "exit_code", "restarted"),
    [
        (RestartPolicy.ALWAYS, 0, True),
        (RestartPolicy.ON_FAILURE, 1, True),
        (RestartPolicy.ON_FAILURE, 0, False),
        (RestartPolicy.NEVER, 1, False),
    ],
)
@pytest.mark.parametrize("policy", list(RestartPolicy))
async def test_a_container_may_have_a_restart_policy_of_its_own(
    bed: Bed, policy: RestartPolicy, own: RestartPolicy, exit_code: int, restarted: bool
) -> None:
    web = pod(
        containers=(Container("app", IMAGE, restart_policy=own), Container("other", IMAGE)), restart_policy=policy
    )
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        assert isinstance(bed.state(), Running if restarted else Terminated)
        assert bed.reporter.statuses[UID].phase is PodPhase.RUNNING
