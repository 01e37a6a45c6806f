"""Ephemeral containers: they start at once in a running pod, are never restarted, and change nothing about the pod."""

from __future__ import annotations

from dataclasses import replace

from agent.model import Container, Pod, PodPhase, Profile, RestartPolicy, SecurityContext
from agent.pods.names import identify
from agent.runtime.containers import ContainerSpec
from agent.statuses import ContainerStatus, Running, Terminated, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

DEBUG, TWO = Container("debug", IMAGE), Container("two", IMAGE)


def debugged(*added: Container, **changes: object) -> Pod:
    return replace(pod(**changes), ephemeral_containers=added)


def spec_of(bed: Bed, container: str) -> ContainerSpec:
    """The newest instance's spec."""
    (*_, record) = bed.engine.named(f"_{container}_")
    return bed.engine.specs[record.id]


def shown(bed: Bed) -> ContainerStatus:
    (status,) = bed.reporter.statuses[UID].ephemeral_containers
    return status


async def test_one_is_started_in_the_running_pod_and_touches_no_other(bed: Bed) -> None:
    async with bed.running(pod()) as manager:
        before = bed.names()
        await manager.apply(desired(debugged(DEBUG)), complete=True)
        await settle()
        assert bed.names() == sorted([*before, "sampan_u1_debug_0"])
        status = shown(bed)
        assert isinstance(status.state, Running)
        assert (status.ready, status.started, status.restart_count) == (False, True, 0)
        assert bed.ready() and bed.reporter.statuses[UID].phase is PodPhase.RUNNING
        started = [event for event in bed.reporter.events if event.reason == "Started"]
        assert started[-1].field_path == "spec.ephemeralContainers{debug}"


async def test_one_is_never_restarted_also_not_by_a_later_agent(bed: Bed) -> None:
    web = debugged(DEBUG, restart_policy=RestartPolicy.ALWAYS)
    async with bed.running(web):
        bed.engine.end("sampan_u1_debug_0", 3)
        await settle()
        await bed.clock.advance(1000)
    async with bed.running(web):
        await bed.clock.advance(1000)
        state = shown(bed).state
        assert isinstance(state, Terminated) and state.exit_code == 3
        assert [record.name for record in bed.engine.named("_debug_")] == ["sampan_u1_debug_0"]
        assert bed.ready()


async def test_one_does_not_wait_for_init_containers(bed: Bed) -> None:
    async with bed.running(debugged(DEBUG, init_containers=(Container("init", IMAGE),))):
        assert [identify(each.labels).container for each in bed.engine.named("") if each.running] == [  # type: ignore[union-attr]
            "",
            "debug",
            "init",
        ]


async def test_the_processes_of_the_target_are_seen(bed: Bed) -> None:
    aimed = replace(DEBUG, target="app")
    async with bed.running(debugged(aimed, TWO)):
        (app,) = bed.engine.named("_app_")
        await bed.clock.advance(1)
        assert spec_of(bed, "debug").join_pid == app.id
        assert spec_of(bed, "two").join_pid is None
        assert spec_of(bed, "app").join_pid is None


async def test_one_whose_target_does_not_run_waits_for_it(bed: Bed) -> None:
    web = debugged(replace(DEBUG, target="app"), restart_policy=RestartPolicy.ON_FAILURE)
    bed.engine.present.pop(IMAGE)
    other = "tools:1"
    bed.engine.present[other] = "sha256:tools"
    async with bed.manager() as manager:
        web = replace(web, ephemeral_containers=(replace(web.ephemeral_containers[0], image=other),))
        await manager.apply(desired(web), complete=True)
        await settle()
        state = shown(bed).state
        assert state == Waiting("CreateContainerConfigError", "unable to find target container app")
        bed.engine.registry[IMAGE] = "sha256:web"
        await bed.clock.advance(60)
        assert isinstance(shown(bed).state, Running)


async def test_the_pod_ends_without_waiting_for_one(bed: Bed) -> None:
    async with bed.running(debugged(DEBUG, restart_policy=RestartPolicy.NEVER)):
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        status = bed.reporter.statuses[UID]
        assert status.phase is PodPhase.SUCCEEDED
        assert isinstance(status.ephemeral_containers[0].state, Terminated)


async def test_a_setting_that_the_node_cannot_carry_out_keeps_only_this_one_from_running(bed: Bed) -> None:
    profile = SecurityContext(apparmor=Profile(Profile.LOCALHOST, "mine"))
    async with bed.running(pod()) as manager:
        await manager.apply(desired(debugged(replace(DEBUG, security=profile))), complete=True)
        await settle()
        state = shown(bed).state
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert "AppArmor" in state.message
        assert bed.ready() and not bed.engine.named("_debug_")


async def test_one_does_not_run_again_in_a_new_sandbox(bed: Bed) -> None:
    async with bed.running(debugged(DEBUG)):
        bed.engine.end("sampan_u1_POD_0", 137)
        await settle()
        await bed.clock.advance(60)
        assert bed.ready()
        assert isinstance(shown(bed).state, Terminated)
        assert [record.name for record in bed.engine.named("_debug_")] == ["sampan_u1_debug_0"]
