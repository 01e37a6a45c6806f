"""A node's pods on a fake engine: checks the reports and the engine's final state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import Container, EmptyDir, PodPhase, RestartPolicy, Volume, VolumeMount
from agent.network import NetworkFault
from agent.runtime.containers import ContainerSpec
from agent.runtime.errors import PullFailed
from agent.statuses import Running, Terminated, Waiting
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod


async def test_pod_becomes_ready_with_sandbox_first(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        status = bed.reporter.statuses[UID]
        assert bed.ready()
        assert (status.phase, status.pod_ip, status.host_ip) == (PodPhase.RUNNING, "10.244.1.2", "192.0.2.7")
        assert bed.names() == ["sampan_u1_POD_0", "sampan_u1_app_0"]
        starts = [name for call, name in bed.engine.calls if call == "start"]
        assert starts == ["sampan_u1_POD_0", "sampan_u1_app_0"]
        assert bed.network.calls == ["attach u1"]
        assert bed.reporter.reasons() == ["Pulled", "Created", "Started"]


async def test_hosts_file_has_the_address_before_the_container_starts(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod(hostname="box")), complete=True)
        await settle()
        app = bed.engine.named("app")[0]
        hosts = next(mount for mount in bed.engine.specs[app.id].mounts if mount.target == "/etc/hosts")
        assert "10.244.1.2\tbox\n" in Path(hosts.source).read_text()


async def test_first_restart_is_at_once_and_later_ones_back_off(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 137)
        await settle()
        assert bed.ready()
        status = bed.reporter.statuses[UID].containers[0]
        assert status.restart_count == 1
        assert status.last_state is not None and status.last_state.exit_code == 137

        bed.engine.end("sampan_u1_app_1", 1)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CrashLoopBackOff"
        assert "BackOff" in bed.reporter.reasons()
        await bed.clock.advance(9)
        assert not bed.ready()
        await bed.clock.advance(1.1)
        assert bed.ready() and bed.reporter.statuses[UID].containers[0].restart_count == 2

        bed.engine.end("sampan_u1_app_2", 1)
        await bed.clock.advance(19)
        assert not bed.ready()
        await bed.clock.advance(1.1)
        assert bed.ready()


async def test_the_number_of_ended_containers_is_bounded(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        for attempt in range(6):
            await bed.clock.advance(700)
            bed.engine.end(f"sampan_u1_app_{attempt}", 1)
        await bed.clock.advance(700)
        assert bed.names() == ["sampan_u1_POD_0", "sampan_u1_app_5", "sampan_u1_app_6"]


async def test_an_agent_restart_restarts_no_container(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
    before, started = dict(bed.engine.records), bed.reporter.statuses[UID].start_time
    bed.engine.calls.clear()
    bed.reporter = FakeReporter()
    await bed.clock.advance(5)
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=False)
        await settle()
        assert bed.engine.records == before
        assert {call for call, _ in bed.engine.calls} <= {"events", "list", "inspect"}
        status = bed.reporter.statuses[UID]
        assert bed.ready() and status.containers[0].restart_count == 1
        assert status.start_time == pytest.approx(started, abs=0.01)
        assert bed.reporter.events == []


@pytest.mark.parametrize("fails", [False, True])
async def test_an_adopted_pod_is_not_reported_without_its_address(bed: Bed, fails: bool) -> None:
    """A ready pod without an address would leave its services. A failing network is reported."""
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
    bed.reporter.history.clear()
    if fails:
        bed.network.failures = [NetworkFault("no kernel")]
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        await bed.clock.advance(60)
    reported = [status.pod_ip for status in bed.reporter.history]
    assert reported == (["", "10.244.1.2"] if fails else ["10.244.1.2"])


async def test_events_are_subscribed_before_containers_are_listed(bed: Bed) -> None:
    async with bed.manager():
        assert [call for call, _ in bed.engine.calls] == ["events", "list"]


@pytest.mark.parametrize("complete", [False, True])
async def test_unknown_containers_are_removed_only_after_a_complete_snapshot(bed: Bed, complete: bool) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
    bed.reporter = FakeReporter()
    async with bed.manager() as manager:
        await manager.apply(desired(), complete=complete)
        await bed.clock.advance(10)
        assert bool(bed.names()) is not complete
        assert (bed.reporter.gone == [UID]) is complete
        assert manager.idle is complete


async def test_a_pod_that_runs_goes_on_when_the_new_agent_refuses_the_masters_message_about_it(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
    running = bed.names()
    async with bed.manager() as manager:
        await manager.apply(replace(desired(), refused=frozenset({UID})), complete=True)
        await bed.clock.advance(10)
        assert bed.names() == running
        await manager.apply(desired(), complete=True)
        await bed.clock.advance(10)
        assert not bed.names()


async def test_other_clusters_containers_are_left_alone(bed: Bed) -> None:
    spec = ContainerSpec("other", IMAGE, {"io.sampan.cluster": "c2", "io.sampan.node": "n1", "io.sampan.pod.uid": "x"})
    await bed.engine.create(spec)
    async with bed.manager() as manager:
        await manager.apply(desired(), complete=True)
        await settle()
        assert bed.names() == ["other"]


async def test_deletion_sends_the_stop_signal_waits_and_leaves_nothing(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    volume = Volume("data", EmptyDir())
    web = pod(volumes=(volume,), containers=(Container("app", IMAGE, volume_mounts=(VolumeMount("data", "/d"),)),))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        bed.engine.calls.clear()
        deleted = replace(web, deletion_at=bed.clock.now, grace_period_s=20)
        await manager.apply(desired(deleted), complete=True)
        await bed.clock.advance(19)
        assert isinstance(bed.state(), Running)
        await bed.clock.advance(2)
        assert bed.names() == [] and bed.reporter.gone == [UID]
        signals = [name.split()[1] for call, name in bed.engine.calls if call == "signal"]
        assert signals == ["SIGTERM", "SIGKILL"]
        removals = [name for call, name in bed.engine.calls if call == "remove"]
        assert removals == ["sampan_u1_app_0", "sampan_u1_POD_0"]
        assert bed.network.calls[-1] == "release u1" and not bed.network.addresses
        assert list((bed.config.state_dir / "pods").iterdir()) == []
        assert [status.removed for status in manager.statuses()] == [True]
        await manager.apply(desired(), complete=True)
        assert manager.statuses() == [] and manager.idle


async def test_deleted_pod_does_not_wait_for_its_image(bed: Bed) -> None:
    bed.engine.fail_next("pull", *[PullFailed("the registry is away")] * 9)
    web = pod(containers=(Container("app", "far:1"),))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        await manager.apply(desired(replace(web, deletion_at=bed.clock.now)), complete=True)
        await settle()
        assert bed.reporter.gone == [UID]


async def test_a_killed_sandbox_restarts_the_whole_pod(bed: Bed) -> None:
    init = Container("init", IMAGE)
    async with bed.manager() as manager:
        await manager.apply(desired(pod(init_containers=(init,))), complete=True)
        await settle()
        bed.engine.end("sampan_u1_init_0", 0)
        await settle()
        assert bed.ready()
        await bed.clock.advance(60)
        bed.engine.end("sampan_u1_POD_0", 137)
        await settle()
        assert bed.engine.named("init_1")[0].running and not bed.engine.named("app_1")
        bed.engine.end("sampan_u1_init_1", 0)
        await settle()
        status = bed.reporter.statuses[UID]
        assert bed.ready() and status.containers[0].restart_count == 1
        assert status.pod_ip == "10.244.1.2"
        assert "sampan_u1_POD_0" not in bed.names()


async def test_a_container_removed_by_hand_is_created_again(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        await bed.engine.remove(bed.engine.named("app_0")[0].id)
        await settle()
        assert bed.ready() and bed.reporter.statuses[UID].containers[0].restart_count == 1


async def test_changed_image_replaces_the_container(bed: Bed) -> None:
    bed.engine.present["web:2"] = "sha256:two"
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        await manager.apply(desired(pod(containers=(Container("app", "web:2"),))), complete=True)
        await settle()
        assert bed.ready() and bed.engine.named("app_1")[0].image == "web:2"
        assert bed.reporter.statuses[UID].containers[0].image_id == "docker://sha256:two"


async def test_init_containers_run_one_after_the_other(bed: Bed) -> None:
    web = pod(init_containers=(Container("one", IMAGE), Container("two", IMAGE)))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        assert bed.names() == ["sampan_u1_POD_0", "sampan_u1_one_0"]
        assert bed.reporter.statuses[UID].phase is PodPhase.PENDING
        status = bed.reporter.statuses[UID]
        assert bed.state() == status.init_containers[1].state == Waiting("PodInitializing")
        (initialized,) = [each for each in status.conditions if each.type == "Initialized"]
        assert initialized.reason == "ContainersNotInitialized"
        assert initialized.message == "containers with incomplete status: [one two]"
        bed.engine.end("sampan_u1_one_0", 0)
        await settle()
        assert "sampan_u1_two_0" in bed.names()
        bed.engine.end("sampan_u1_two_0", 0)
        await settle()
        assert bed.ready()


@pytest.mark.parametrize(
    ("policy", "exit_code", "phase"),
    [
        (RestartPolicy.NEVER, 0, PodPhase.SUCCEEDED),
        (RestartPolicy.NEVER, 3, PodPhase.FAILED),
        (RestartPolicy.ON_FAILURE, 0, PodPhase.SUCCEEDED),
        (RestartPolicy.ON_FAILURE, 3, PodPhase.RUNNING),
        (RestartPolicy.ALWAYS, 0, PodPhase.RUNNING),
    ],
)
async def test_restart_policy(bed: Bed, policy: RestartPolicy, exit_code: int, phase: PodPhase) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod(restart_policy=policy)), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        assert bed.reporter.statuses[UID].phase is phase
        if phase in (PodPhase.SUCCEEDED, PodPhase.FAILED):
            assert bed.names() == ["sampan_u1_app_0"], "the containers stay for their logs, the sandbox is removed"
            assert not bed.network.addresses
            assert isinstance(bed.state(), Terminated)


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_ended_pod_is_not_run_again_when_its_containers_disappear(bed: Bed, restarted: bool) -> None:
    web = pod(restart_policy=RestartPolicy.NEVER)
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        if not restarted:
            await bed.engine.remove(bed.engine.named("app_0")[0].id)
            await settle()
    bed.engine.records.clear()
    ended = replace(web, ended_phase=PodPhase.SUCCEEDED)
    async with bed.manager() as manager:
        await manager.apply(desired(ended), complete=True)
        await bed.clock.advance(60)
        assert bed.names() == [] and not bed.network.addresses
        assert bed.reporter.history[-1].phase is PodPhase.SUCCEEDED, "no other phase is reported"
        await manager.apply(desired(replace(ended, deletion_at=bed.clock.now)), complete=True)
        await settle()
        assert bed.reporter.gone == [UID]


async def test_an_oom_kill_is_reported(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod(restart_policy=RestartPolicy.NEVER)), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 137, oom_killed=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Terminated) and (state.reason, state.exit_code) == ("OOMKilled", 137)
        states = [status.containers[0].state for status in bed.reporter.history if status.containers]
        assert {state.reason for state in states if isinstance(state, Terminated)} == {"OOMKilled"}, (
            "no other reason at any time"
        )


async def test_each_status_names_the_generation_that_it_is_about(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod(generation=1)), complete=True)
        await settle()
        assert bed.ready() and bed.reporter.statuses[UID].observed_generation == 1
        # A change that means nothing on the node, such as one of the tolerations, is reported all the same.
        calls = len(bed.engine.calls)
        await manager.apply(desired(pod(generation=2)), complete=True)
        await settle()
        assert bed.ready() and bed.reporter.statuses[UID].observed_generation == 2
        assert len(bed.engine.calls) == calls


async def test_ids_begin_with_the_name_of_the_engine(bed: Bed) -> None:
    bed.engine.name = "podman"
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        status = bed.reporter.statuses[UID].containers[0]
        assert status.container_id == f"podman://{bed.engine.named('app_0')[0].id}"
        assert status.image_id == "podman://sha256:web"
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        assert bed.reporter.statuses[UID].containers[0].last_state.container_id.startswith("podman://")
