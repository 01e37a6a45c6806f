"""An edit of the image replaces the container, whatever the restart policy says about its end."""

from __future__ import annotations

import pytest

from agent.model import Container, PodPhase, RestartPolicy
from agent.statuses import Running, Terminated
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

NEWER = "web:2"
POLICIES = [RestartPolicy.NEVER, RestartPolicy.ON_FAILURE, RestartPolicy.ALWAYS]


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_new_image_replaces_the_container_and_the_pod_goes_on(bed: Bed, policy: RestartPolicy) -> None:
    bed.engine.present[NEWER] = "sha256:newer"
    async with bed.manager() as manager:
        await manager.apply(desired(pod(restart_policy=policy)), complete=True)
        await settle()
        edited = pod(restart_policy=policy, containers=(Container("app", NEWER),))
        await manager.apply(desired(edited), complete=True)
        await settle()
        status = bed.reporter.statuses[UID]
        assert (status.phase, status.containers[0].restart_count) == (PodPhase.RUNNING, 1)
        assert isinstance(bed.state(), Running) and bed.ready()
        assert bed.engine.named("app_1")[0].image == NEWER
        assert {each.phase for each in bed.reporter.history} <= {PodPhase.PENDING, PodPhase.RUNNING}


@pytest.mark.parametrize("policy", POLICIES)
async def test_an_agent_that_is_restarted_in_between_replaces_it_too(bed: Bed, policy: RestartPolicy) -> None:
    edited = pod(restart_policy=policy, containers=(Container("app", NEWER),))
    async with bed.manager() as manager:
        await manager.apply(desired(pod(restart_policy=policy)), complete=True)
        await settle()
        # The new image cannot be pulled yet, so the old container has ended and no other one takes its place.
        await manager.apply(desired(edited), complete=True)
        await settle()
    assert [record.running for record in bed.engine.named("app")] == [False]
    bed.engine.present[NEWER] = "sha256:newer"
    async with bed.manager() as manager:
        await manager.apply(desired(edited), complete=True)
        await settle()
        assert isinstance(bed.state(), Running)


@pytest.mark.parametrize("exit_code", [0, 1])
async def test_a_container_that_has_ended_by_itself_is_not_run_again_for_a_new_image(bed: Bed, exit_code: int) -> None:
    side = Container("side", IMAGE)
    async with bed.manager() as manager:
        plain = pod(restart_policy=RestartPolicy.NEVER, containers=(Container("app", IMAGE), side))
        await manager.apply(desired(plain), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        edited = pod(restart_policy=RestartPolicy.NEVER, containers=(Container("app", NEWER), side))
        await manager.apply(desired(edited), complete=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Terminated) and state.exit_code == exit_code
        assert len(bed.engine.named("app")) == 1


async def test_a_pod_that_is_never_restarted_ends_with_its_sandbox(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod(restart_policy=RestartPolicy.NEVER)), complete=True)
        await settle()
        bed.engine.end("sampan_u1_POD_0", 137)
        await settle()
        assert bed.reporter.statuses[UID].phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)


async def test_an_init_container_that_ends_for_its_new_image_runs_with_it(bed: Bed) -> None:
    bed.engine.present[NEWER] = "sha256:newer"
    bed.engine.ignores_term.add("sampan_u1_setup_0")
    async with bed.manager() as manager:
        await manager.apply(desired(pod(init_containers=(Container("setup", IMAGE),))), complete=True)
        await settle()
        await manager.apply(desired(pod(init_containers=(Container("setup", NEWER),))), complete=True)
        await settle()
        bed.engine.end("sampan_u1_setup_0", 0)
        await settle()
        assert [record.name for record in bed.engine.named("") if record.running] == [
            "sampan_u1_POD_0",
            "sampan_u1_setup_1",
        ]


async def test_an_edit_that_is_taken_back_in_time_changes_nothing_about_the_end(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    plain = pod(restart_policy=RestartPolicy.NEVER)
    async with bed.manager() as manager:
        await manager.apply(desired(plain), complete=True)
        await settle()
        edited = pod(restart_policy=RestartPolicy.NEVER, containers=(Container("app", NEWER),))
        await manager.apply(desired(edited), complete=True)
        await bed.clock.advance(1)
        await manager.apply(desired(plain), complete=True)
        await bed.clock.advance(3600)
        assert isinstance(bed.state(), Running)
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        assert bed.reporter.statuses[UID].phase is PodPhase.SUCCEEDED
        assert [record.name for record in bed.engine.named("app")] == ["sampan_u1_app_0"]


async def test_a_mark_of_an_instance_that_is_gone_does_not_count_for_another_one(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    edited = pod(restart_policy=RestartPolicy.NEVER, containers=(Container("app", NEWER),))
    bed.engine.present[NEWER] = "sha256:newer"
    async with bed.manager() as manager:
        await manager.apply(desired(pod(restart_policy=RestartPolicy.NEVER)), complete=True)
        await settle()
        await manager.apply(desired(edited), complete=True)
        await settle()
    # The engine loses its containers while the agent is down, so the attempts begin at 0 again.
    bed.engine.records.clear()
    async with bed.manager() as manager:
        await manager.apply(desired(edited), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        assert bed.reporter.statuses[UID].phase is PodPhase.SUCCEEDED
        assert len(bed.engine.named("app")) == 1
