"""postStart and preStop hooks and stop signals, on a fake engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.handlers import Checks, HttpGet, Probe, RunCommand, Sleep
from agent.model import Container, Pod, PodPhase, RestartPolicy
from agent.pods.manager import PodManager
from agent.probes.interface import failure
from agent.runtime.errors import BadRequest
from agent.statuses import Running, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

START, STOP, ALIVE = RunCommand(("start",)), RunCommand(("stop",)), HttpGet(80)


def hooked(checks: Checks, *more: Container, **fields: object) -> Pod:
    return pod(containers=(Container("app", IMAGE, checks=checks), *more), **fields)


def signals(bed: Bed) -> list[str]:
    return [name for call, name in bed.engine.calls if call == "signal"]


async def delete(bed: Bed, manager: PodManager, web: Pod, grace_s: int = 30) -> Pod:
    deleted = replace(web, deletion_at=bed.clock.now, grace_period_s=grace_s)
    await manager.apply(desired(deleted), complete=True)
    await settle()
    return deleted


async def test_a_container_runs_once_its_post_start_hook_has_ended(bed: Bed) -> None:
    held = bed.prober.held[START] = asyncio.Event()
    web = hooked(Checks(post_start=START, liveness=Probe(ALIVE)), Container("next", IMAGE))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await bed.clock.advance(60)
        assert bed.reporter.statuses[UID].phase is PodPhase.PENDING
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "ContainerCreating"
        # The container runs, but is not probed yet, and the next one waits.
        assert bed.engine.named("app")[0].running and not bed.engine.named("next")[0].running
        assert not bed.prober.probes
        held.set()
        await settle()
        assert bed.ready() and isinstance(bed.state(), Running) and bed.engine.named("next")[0].running
        assert len(bed.prober.hooks) == 1 and bed.prober.probes


async def test_a_failed_post_start_hook_restarts_the_container(bed: Bed) -> None:
    bed.prober.problems[START] = "exit code 3"
    async with bed.running(hooked(Checks(post_start=START, pre_stop=STOP))):
        status = bed.reporter.statuses[UID].containers[0]
        assert status.restart_count == 1 and not bed.ready()
        assert isinstance(status.state, Waiting) and status.state.reason == "CrashLoopBackOff"
        messages = [event.message for event in bed.reporter.events]
        assert "PostStartHook failed" in messages  # what a command prints may be secret
        assert "Container app failed postStart hook, will be restarted" in messages
        assert [handler for handler, _ in bed.prober.hooks] == [START, STOP] * 2


async def test_others_do_not_wait_for_a_container_that_cannot_be_created(bed: Bed) -> None:
    broken = Container("app", "missing:1", checks=Checks(post_start=START))
    async with bed.manager() as manager:
        await manager.apply(desired(pod(containers=(broken, Container("next", IMAGE)))), complete=True)
        await bed.clock.advance(5)
        assert bed.engine.named("next")[0].running


@pytest.mark.parametrize("killed", [False, True])
async def test_a_hook_that_goes_on_ends_with_its_container(bed: Bed, killed: bool) -> None:
    bed.prober.held[START] = asyncio.Event()
    web = hooked(Checks(post_start=START), restart_policy=RestartPolicy.NEVER)
    async with bed.running(web) as manager:
        if killed:
            bed.engine.end("sampan_u1_app_0", 1)
            await settle()
            assert bed.reporter.statuses[UID].phase is PodPhase.FAILED
        else:
            await delete(bed, manager, web)
            assert signals(bed) == ["sampan_u1_app_0 SIGTERM"]
        assert bed.prober.cancelled == [START]
        if not killed:
            await bed.clock.advance(1)
            assert bed.reporter.gone == [UID]


async def test_the_stop_signal_comes_after_the_pre_stop_hook(bed: Bed) -> None:
    held = bed.prober.held[STOP] = asyncio.Event()
    web = hooked(Checks(pre_stop=STOP, stop_signal="SIGQUIT"))
    async with bed.running(web) as manager:
        await delete(bed, manager, web)
        await bed.clock.advance(10)
        assert signals(bed) == [] and bed.reporter.reasons()[-1] == "Killing"
        held.set()
        await settle()
        assert signals(bed) == ["sampan_u1_app_0 SIGQUIT"]
        assert bed.reporter.reasons().count("Killing") == 1 and bed.reporter.gone == [UID]


async def test_a_stop_signal_that_the_engine_does_not_know(bed: Bed) -> None:
    bed.engine.fail_next("signal", BadRequest("Invalid signal: SIGNOT"))
    web = hooked(Checks(stop_signal="SIGNOT"))
    async with bed.running(web) as manager:
        await delete(bed, manager, web)
    assert signals(bed) == ["sampan_u1_app_0 SIGNOT", "sampan_u1_app_0 SIGTERM"] and bed.reporter.gone == [UID]
    assert "FailedKillPod" in bed.reporter.reasons()


async def test_the_grace_period_bounds_the_hook_and_the_container(bed: Bed) -> None:
    bed.prober.held[STOP] = asyncio.Event()
    bed.engine.ignores_term.add("sampan_u1_app_0")
    web = hooked(Checks(pre_stop=STOP))
    async with bed.running(web) as manager:
        await delete(bed, manager, web, 10)
        await bed.clock.advance(9.9)
        assert signals(bed) == []
        await bed.clock.advance(0.2)
        assert signals(bed) == ["sampan_u1_app_0 SIGTERM"] and bed.prober.cancelled == [STOP]
        # As in the kubelet, there are two seconds after the stop signal.
        await bed.clock.advance(1.8)
        assert signals(bed) == ["sampan_u1_app_0 SIGTERM"]
        await bed.clock.advance(0.2)
        assert signals(bed)[-1] == "sampan_u1_app_0 SIGKILL" and bed.reporter.gone == [UID]


async def test_the_time_of_the_hook_counts_as_grace_period(bed: Bed) -> None:
    bed.prober.held[STOP] = asyncio.Event()
    bed.engine.ignores_term.add("sampan_u1_app_0")
    web = hooked(Checks(pre_stop=STOP))
    async with bed.running(web) as manager:
        await delete(bed, manager, web, 10)
        await bed.clock.advance(6)
        bed.prober.held[STOP].set()
        await settle()
        assert signals(bed) == ["sampan_u1_app_0 SIGTERM"]
        await bed.clock.advance(3.9)
        assert signals(bed) == ["sampan_u1_app_0 SIGTERM"]
        await bed.clock.advance(0.2)
        assert signals(bed)[-1] == "sampan_u1_app_0 SIGKILL"


async def test_a_forced_deletion_does_not_wait_for_a_hook(bed: Bed) -> None:
    bed.prober.held[STOP] = asyncio.Event()
    web = hooked(Checks(pre_stop=STOP))
    async with bed.running(web) as manager:
        deleted = await delete(bed, manager, web)
        await delete(bed, manager, deleted, 0)
        assert signals(bed) == ["sampan_u1_app_0 SIGKILL"] and bed.reporter.gone == [UID]


async def test_a_failed_pre_stop_hook_does_not_keep_the_container(bed: Bed) -> None:
    bed.prober.problems[STOP] = "connection refused"
    web = hooked(Checks(pre_stop=STOP))
    async with bed.running(web) as manager:
        await delete(bed, manager, web)
        assert bed.reporter.gone == [UID]
    failed = [event.message for event in bed.reporter.events if event.reason == "FailedPreStopHook"]
    assert failed == ["PreStopHook failed"]


async def test_the_hook_of_a_container_that_has_ended_is_not_run(bed: Bed) -> None:
    web = hooked(Checks(pre_stop=STOP), restart_policy=RestartPolicy.NEVER)
    async with bed.running(web) as manager:
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        await delete(bed, manager, web)
        assert bed.prober.hooks == [] and bed.reporter.gone == [UID]


async def test_a_liveness_kill_runs_the_hook_too(bed: Bed) -> None:
    bed.prober.results[ALIVE] = failure("refused")
    checks = Checks(pre_stop=STOP, liveness=Probe(ALIVE, failure_threshold=1, initial_delay_s=10))
    async with bed.manager() as manager:
        await manager.apply(desired(hooked(checks)), complete=True)
        await bed.clock.advance(10.1)
        assert [handler for handler, _ in bed.prober.hooks] == [STOP]
        assert bed.reporter.statuses[UID].containers[0].restart_count == 1


async def test_the_hooks_of_sidecars_begin_with_the_others_and_their_signals_come_last(bed: Bed) -> None:
    side = Container("side", IMAGE, restart_policy=RestartPolicy.ALWAYS, checks=Checks(pre_stop=STOP))
    web = pod(init_containers=(side,))
    bed.engine.ignores_term.add("sampan_u1_app_0")
    async with bed.running(web) as manager:
        await delete(bed, manager, web, 10)
        assert [handler for handler, _ in bed.prober.hooks] == [STOP]
        assert signals(bed) == ["sampan_u1_app_0 SIGTERM"]
        await bed.clock.advance(10.1)
        assert signals(bed) == [f"sampan_u1_app_0 {name}" for name in ("SIGTERM", "SIGKILL")] + [
            "sampan_u1_side_0 SIGTERM"
        ]
        assert bed.reporter.gone == [UID]


async def test_an_agent_that_is_killed_during_a_hook_leads_to_one_stop(bed: Bed) -> None:
    """The hook is run again, as Kubernetes documents; the stop is neither lost nor begun twice in one agent."""
    bed.prober.held[STOP] = asyncio.Event()
    web = hooked(Checks(pre_stop=STOP))
    async with bed.running(web) as manager:
        deleted = await delete(bed, manager, web)
    assert signals(bed) == []
    del bed.prober.held[STOP]
    async with bed.manager() as manager:
        await manager.apply(desired(deleted), complete=True)
        await settle()
    assert [handler for handler, _ in bed.prober.hooks] == [STOP, STOP]
    assert signals(bed) == ["sampan_u1_app_0 SIGTERM"] and bed.reporter.gone == [UID]


async def test_a_hook_that_had_ended_is_not_run_by_the_next_agent(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app_0")
    web = hooked(Checks(pre_stop=STOP))
    async with bed.running(web) as manager:
        deleted = await delete(bed, manager, web)
    async with bed.manager() as manager:
        await manager.apply(desired(deleted), complete=True)
        await bed.clock.advance(31)
    assert [handler for handler, _ in bed.prober.hooks] == [STOP]
    assert bed.reporter.gone == [UID]


@pytest.mark.parametrize("ended", [False, True])
async def test_a_post_start_hook_after_an_agents_restart(bed: Bed, ended: bool) -> None:
    """An interrupted hook is run again; one that has ended is not."""
    if not ended:
        bed.prober.held[START] = asyncio.Event()
    web = hooked(Checks(post_start=START))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
    bed.prober.held.clear()
    async with bed.running(web):
        assert bed.ready() and bed.reporter.statuses[UID].containers[0].restart_count == 0
    assert len(bed.prober.hooks) == (1 if ended else 2)


async def test_a_hook_that_sleeps(bed: Bed) -> None:
    web = hooked(Checks(pre_stop=Sleep(5)))
    async with bed.running(web) as manager:
        await delete(bed, manager, web)
        assert bed.prober.hooks[0][0] == Sleep(5)
