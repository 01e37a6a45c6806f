"""Probes of a node's pods on a fake engine: what they do to status, containers and events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.handlers import Checks, HttpGet, Probe, RunCommand, TcpConnect, UnknownAction
from agent.model import Container, Pod, PodPhase, RestartPolicy
from agent.pods.health import Fault, Health
from agent.probes.interface import Result, ResultKind, failure
from agent.statuses import Running, Terminated, Waiting
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

READY, ALIVE, STARTED = HttpGet(80, "/ready"), HttpGet(80, "/alive"), TcpConnect(80)
DOWN = failure("HTTP probe failed with statuscode: 500")


def probed(checks: Checks, **more: object) -> Pod:
    return pod(containers=(Container("app", IMAGE, checks=checks),), **more)


def app(bed: Bed) -> tuple[bool, bool, int]:
    """Whether the container has started and is ready, and how often it was restarted."""
    status = bed.reporter.statuses[UID].containers[0]
    return status.started, status.ready, status.restart_count


async def test_a_pod_is_ready_while_its_readiness_probe_succeeds(bed: Bed) -> None:
    probe = Probe(READY, period_s=5, failure_threshold=2, success_threshold=2)
    bed.prober.results[READY] = DOWN
    async with bed.running(probed(Checks(readiness=probe))):
        assert isinstance(bed.state(), Running) and app(bed) == (True, False, 0) and not bed.ready()
        assert bed.prober.probes[0][1].address == "10.244.1.2"
        del bed.prober.results[READY]
        await bed.clock.advance(5)
        assert not bed.ready()
        await bed.clock.advance(5)
        assert bed.ready()
        bed.prober.results[READY] = DOWN
        await bed.clock.advance(5)
        assert bed.ready()
        reports = len(bed.reporter.history)
        await bed.clock.advance(5)
        assert not bed.ready() and len(bed.reporter.history) == reports + 1
        await bed.clock.advance(60)
        # Only what crosses a threshold is reported.
        assert len(bed.reporter.history) == reports + 1
        assert app(bed) == (True, False, 0)
    assert "Readiness probe failed: HTTP probe failed with statuscode: 500" in [
        event.message for event in bed.reporter.events if event.warning and event.reason == "Unhealthy"
    ]


async def test_a_failed_liveness_probe_restarts_the_container(bed: Bed) -> None:
    probe = Probe(ALIVE, initial_delay_s=20, period_s=10, failure_threshold=3)
    bed.prober.results[ALIVE] = DOWN
    async with bed.manager() as manager:
        await manager.apply(desired(probed(Checks(liveness=probe))), complete=True)
        await bed.clock.advance(19)
        assert not bed.prober.probes
        await bed.clock.advance(20.9)
        assert app(bed) == (True, True, 0)
        await bed.clock.advance(0.2)
        assert app(bed) == (True, True, 1)
        killing = [event.message for event in bed.reporter.events if event.reason == "Killing"]
        assert killing == ["Container app failed liveness probe, will be restarted"]
        assert ("signal", "sampan_u1_app_0 SIGTERM") in bed.engine.calls
        # The next instance has all its chances again; its restart backs off.
        await bed.clock.advance(41)
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CrashLoopBackOff"


@pytest.mark.parametrize(("own", "waits_s"), [(None, 30), (3, 3)])
async def test_the_grace_period_of_a_probe(bed: Bed, own: int | None, waits_s: int) -> None:
    bed.engine.ignores_term.add("sampan_u1_app_0")
    bed.prober.results[ALIVE] = DOWN
    probe = Probe(ALIVE, failure_threshold=1, grace_period_s=own)
    async with bed.manager() as manager:
        await manager.apply(desired(probed(Checks(liveness=probe))), complete=True)
        await bed.clock.advance(waits_s - 0.5)
        assert app(bed)[2] == 0
        await bed.clock.advance(1)
        assert app(bed)[2] == 1


async def test_a_container_that_is_never_restarted_fails_by_its_liveness_probe(bed: Bed) -> None:
    bed.prober.results[ALIVE] = DOWN
    web = probed(Checks(liveness=Probe(ALIVE, failure_threshold=1)), restart_policy=RestartPolicy.NEVER)
    async with bed.running(web):
        assert bed.reporter.statuses[UID].phase is PodPhase.FAILED
        assert isinstance(bed.state(), Terminated)
    assert "Container app failed liveness probe" in [event.message for event in bed.reporter.events]


async def test_a_startup_probe_holds_back_the_others(bed: Bed) -> None:
    checks = Checks(
        startup=Probe(STARTED, period_s=5, failure_threshold=3), liveness=Probe(ALIVE), readiness=Probe(READY)
    )
    bed.prober.results[STARTED] = failure("refused")
    async with bed.manager() as manager:
        await manager.apply(desired(probed(checks)), complete=True)
        await bed.clock.advance(6)
        assert {handler for handler, _ in bed.prober.probes} == {STARTED}
        assert app(bed) == (False, False, 0) and isinstance(bed.state(), Running)
        del bed.prober.results[STARTED]
        await bed.clock.advance(5)
        # The readiness probe follows at once, not a period later.
        assert app(bed) == (True, True, 0)
        starts = sum(handler is STARTED for handler, _ in bed.prober.probes)
        await bed.clock.advance(60)
        assert sum(handler is STARTED for handler, _ in bed.prober.probes) == starts


async def test_a_container_that_does_not_start_is_restarted(bed: Bed) -> None:
    bed.prober.results[STARTED] = failure("refused")
    async with bed.manager() as manager:
        checks = Checks(startup=Probe(STARTED, period_s=5, failure_threshold=2))
        await manager.apply(desired(probed(checks)), complete=True)
        await bed.clock.advance(6)
        assert app(bed)[2] == 1
    assert "Container app failed startup probe, will be restarted" in [event.message for event in bed.reporter.events]


async def test_a_probe_that_cannot_be_carried_out_changes_nothing(bed: Bed) -> None:
    bed.prober.results[ALIVE] = Result(ResultKind.ERROR, "no such port")
    async with bed.manager() as manager:
        checks = Checks(liveness=Probe(ALIVE, failure_threshold=1))
        await manager.apply(desired(probed(checks)), complete=True)
        await bed.clock.advance(3600)
        assert app(bed) == (True, True, 0)
    messages = [event.message for event in bed.reporter.events if event.reason == "Unhealthy"]
    assert messages[0] == "Liveness probe errored and resulted in unknown state: no such port"
    # The kubelet's limit: 25 at once, then one in five minutes.
    assert 25 < len(messages) < 40


async def test_a_warning_counts_as_a_success(bed: Bed) -> None:
    bed.prober.results[READY] = Result(ResultKind.WARNING, "Probe terminated redirects, Response body: x")
    async with bed.running(probed(Checks(readiness=Probe(READY)))):
        assert bed.ready()
    assert "ProbeWarning" in bed.reporter.reasons()


async def test_the_next_init_container_waits_for_the_startup_of_a_sidecar(bed: Bed) -> None:
    checks = Checks(startup=Probe(STARTED, period_s=5, failure_threshold=100))
    side = Container("side", IMAGE, restart_policy=RestartPolicy.ALWAYS, checks=checks)
    bed.prober.results[STARTED] = failure("refused")
    async with bed.manager() as manager:
        await manager.apply(desired(pod(init_containers=(side, Container("init", IMAGE)))), complete=True)
        await bed.clock.advance(30)
        assert [record.name for record in bed.engine.named("")] == ["sampan_u1_POD_0", "sampan_u1_side_0"]
        del bed.prober.results[STARTED]
        await bed.clock.advance(5)
        assert bed.engine.named("init")[0].running


async def test_a_sidecar_is_probed_and_restarted_beside_the_containers(bed: Bed) -> None:
    checks = Checks(liveness=Probe(ALIVE, failure_threshold=1, initial_delay_s=10), readiness=Probe(READY))
    side = Container("side", IMAGE, restart_policy=RestartPolicy.ALWAYS, checks=checks)
    bed.prober.results |= {ALIVE: DOWN, READY: DOWN}
    async with bed.running(pod(init_containers=(side,))):
        assert isinstance(bed.state(), Running) and not bed.ready()
        del bed.prober.results[READY]
        await bed.clock.advance(11)
        assert bed.ready()
        status = bed.reporter.statuses[UID]
        assert (status.init_containers[0].restart_count, status.containers[0].restart_count) == (1, 0)


@pytest.mark.parametrize("ready", [True, False])
async def test_an_agents_restart_keeps_the_readiness_until_a_probe_changes_it(bed: Bed, ready: bool) -> None:
    checks = Checks(
        startup=Probe(STARTED), readiness=Probe(READY, period_s=10), liveness=Probe(ALIVE, failure_threshold=1)
    )
    web = probed(checks)
    bed.prober.results = {} if ready else {READY: DOWN}
    async with bed.running(web):
        assert app(bed) == (True, ready, 0)
    bed.reporter = FakeReporter()
    bed.prober.probes.clear()
    async with bed.running(web):
        assert app(bed) == (True, ready, 0)
        await bed.clock.advance(11)
        assert {app_status.containers[0].ready for app_status in bed.reporter.history} == {ready}
        # What has started stays started.
        assert {handler for handler, _ in bed.prober.probes} == {READY, ALIVE}
        bed.prober.results = {READY: DOWN} if ready else {}
        await bed.clock.advance(31)
        assert app(bed) == (True, not ready, 0)


async def test_after_an_agents_restart_probes_begin_at_different_times(bed: Bed) -> None:
    actions = [HttpGet(1000 + number) for number in range(20)]
    apps = tuple(Container(f"c{get.port}", IMAGE, checks=Checks(readiness=Probe(get))) for get in actions)
    web = pod(containers=apps)
    async with bed.running(web):
        assert len(bed.prober.probes) == len(apps)
    bed.prober.probes.clear()
    async with bed.running(web):
        assert len(bed.prober.probes) <= 2
        await bed.clock.advance(5)
        assert 2 < len(bed.prober.probes) < 18
        await bed.clock.advance(5.1)
        assert {handler for handler, _ in bed.prober.probes} == set(actions)


async def test_a_container_of_a_release_without_probes_stays_ready(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
    bed.reporter = FakeReporter()
    bed.prober.results = {STARTED: DOWN}
    async with bed.running(probed(Checks(startup=Probe(STARTED), readiness=Probe(READY)))):
        assert app(bed) == (True, True, 0)
        assert all(status.containers[0].ready for status in bed.reporter.history)


async def test_a_kill_that_was_decided_is_carried_out_by_the_next_agent(bed: Bed) -> None:
    web = probed(Checks(liveness=Probe(ALIVE, failure_threshold=1, initial_delay_s=10)))
    bed.engine.ignores_term.add("sampan_u1_app_0")
    bed.prober.results[ALIVE] = DOWN
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await bed.clock.advance(11)
    bed.prober.results.clear()
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await bed.clock.advance(31)
        assert app(bed) == (True, True, 1)


async def test_a_pod_that_is_deleted_is_probed_only_for_readiness(bed: Bed) -> None:
    checks = Checks(liveness=Probe(ALIVE, failure_threshold=1), readiness=Probe(READY, period_s=1, failure_threshold=1))
    bed.engine.ignores_term.add("sampan_u1_app_0")
    async with bed.running(probed(checks)) as manager:
        assert bed.ready()
        bed.prober.results = {ALIVE: DOWN, READY: DOWN}
        await manager.apply(
            desired(replace(probed(checks), deletion_at=bed.clock.now, grace_period_s=60)), complete=True
        )
        await bed.clock.advance(20)
        assert not bed.ready() and app(bed)[2] == 0
        assert "Container app failed liveness probe" not in [event.message for event in bed.reporter.events]
        await bed.clock.advance(60)
        assert bed.names() == []
        probes = len(bed.prober.probes)
        await bed.clock.advance(60)
        assert len(bed.prober.probes) == probes


async def test_an_action_that_the_agent_does_not_know_is_refused_by_name(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(probed(Checks(liveness=Probe(UnknownAction())))), complete=True)
        await settle()
    status = bed.reporter.statuses[UID]
    assert (status.phase, status.reason) == (PodPhase.FAILED, "SettingNotSupported")
    assert 'container "app": this node does not know the action of livenessProbe' in status.message
    assert bed.names() == []


@pytest.mark.parametrize(
    "health", [Health(), Health(hooked=False, started=False, ready=False, fault=Fault.LIVENESS, pre_stopped=True)]
)
def test_health_is_read_as_it_was_written(health: Health) -> None:
    assert Health.decode(health.encode()) == health


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"hooked": true}', "null", '{"fault": "x"}'])
def test_damaged_health_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Health.decode(text)


async def test_a_command_probe_names_its_container(bed: Bed) -> None:
    command = RunCommand(("true",))
    async with bed.running(probed(Checks(readiness=Probe(command)))):
        assert bed.prober.probes[0][1].container == bed.engine.named("app")[0].id
