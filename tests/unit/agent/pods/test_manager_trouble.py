"""Pods that cannot get what they need, and engines that change behind the agent: told, waited for, and set right."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest

from agent.model import (
    ConfigMap,
    Container,
    EmptyDir,
    EnvVar,
    KeyRef,
    KeysVolume,
    LogOptions,
    LogRequest,
    ObjectRef,
    PodPhase,
    PodUid,
    PullPolicy,
    Secret,
    Volume,
    VolumeMount,
)
from agent.pods.errors import LogUnavailable
from agent.runtime.errors import EngineGone, StartRefused
from agent.runtime.fake import FakeRuntime
from agent.runtime.interface import ContainerId
from agent.statuses import Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, PAUSE, UID, Bed, desired, pod


async def test_missing_image_backs_off_and_heals(bed: Bed) -> None:
    wanted = pod(containers=(Container("app", "far:1"),))
    async with bed.manager() as manager:
        await manager.apply(desired(wanted), complete=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "ErrImagePull" and "far:1" in state.message
        await bed.clock.advance(3)
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "ImagePullBackOff"
        assert bed.reporter.statuses[UID].phase is PodPhase.PENDING
        bed.engine.registry["far:1"] = "sha256:far"
        await bed.clock.advance(8)
        assert bed.ready()


async def test_pull_policies(bed: Bed) -> None:
    bed.engine.registry[IMAGE] = "sha256:newer"
    always, never = (
        Container("a", IMAGE, pull_policy=PullPolicy.ALWAYS),
        Container("n", "no:1", pull_policy=PullPolicy.NEVER),
    )
    async with bed.manager() as manager:
        await manager.apply(desired(pod(containers=(always, never))), complete=True)
        await settle()
        assert [name for call, name in bed.engine.calls if call == "pull"] == [IMAGE]
        state = bed.state(1)
        assert isinstance(state, Waiting) and state.reason == "ErrImageNeverPull"


async def test_missing_config_waits_until_it_comes(bed: Bed) -> None:
    variable = EnvVar("K", config_map_key=KeyRef("c", "k"))
    wanted = pod(containers=(Container("app", IMAGE, env=(variable,)),))
    ref = ObjectRef("default", "c")
    async with bed.manager() as manager:
        await manager.apply(desired(wanted), complete=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert "default/c" in state.message
        await manager.apply(desired(wanted, config_maps={ref: ConfigMap(ref, {"k": b"v"})}), complete=True)
        await settle()
        assert bed.ready()
        assert "K=v" in bed.engine.specs[bed.engine.named("app")[0].id].env


async def test_secret_that_is_not_on_disk_is_waited_for(bed: Bed) -> None:
    wanted = pod(volumes=(Volume("s", KeysVolume("pw", secret=True)),))
    ref = ObjectRef("default", "pw")
    async with bed.manager() as manager:
        await manager.apply(desired(wanted, secrets_known=False), complete=False)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and "waiting for the master" in state.message
        assert "FailedMount" in bed.reporter.reasons()
        await manager.apply(desired(wanted, secrets={ref: Secret(ref, {"k": b"v"})}), complete=True)
        await settle()
        assert bed.ready() and len(bed.memory.mounted) == 1


async def test_container_that_cannot_start_crash_loops(bed: Bed) -> None:
    refused = [StartRefused("no such command")] * 2
    async with bed.manager() as manager:
        bed.engine.fail_next("start")
        await manager.apply(desired(), complete=True)
        await settle()
        original = bed.engine.start

        async def start(container: object) -> None:
            if "app" in bed.engine.records[container].name and refused:  # type: ignore[index]
                bed.engine.fail_next("start", refused.pop())
            await original(container)  # type: ignore[arg-type]

        bed.engine.start = start  # type: ignore[method-assign, assignment]
        await manager.apply(desired(pod()), complete=True)
        await settle()
        state, last = bed.state(), bed.reporter.statuses[UID].containers[0].last_state
        assert isinstance(state, Waiting) and state.reason == "CrashLoopBackOff"
        assert last is not None and (last.reason, last.exit_code) == ("ContainerCannotRun", 127)
        await bed.clock.advance(11)
        assert bed.ready()


async def test_failed_network_is_told_and_tried_again(bed: Bed) -> None:
    bed.network.failures = [OSError("no addresses left")]
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        assert bed.state() == Waiting("ContainerCreating", "no addresses left")
        assert "FailedCreatePodSandBox" in bed.reporter.reasons()
        await bed.clock.advance(1)
        assert bed.ready()


async def test_engine_that_comes_back_is_read_anew(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.fail_next("events", EngineGone("away"), EngineGone("away"))
        bed.engine.drop_streams()
        await settle()
        bed.engine.end("sampan_u1_app_0", 1)  # nobody tells
        await settle()
        assert bed.ready()
        await bed.clock.advance(2)
        assert bed.ready() and bed.reporter.statuses[UID].containers[0].restart_count == 1


async def test_name_that_is_taken_is_adopted(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        made = bed.engine.named("app_0")[0]
    # An agent that died between the engine's answer and its own noting of it, and whose list came too early.
    records = dict(bed.engine.records)
    bed.engine.records.clear()
    async with bed.manager() as manager:
        bed.engine.records.update(records)
        await manager.apply(desired(pod()), complete=True)
        await settle()
        assert bed.ready()
        assert [each.id for each in bed.engine.named("app")] == [made.id]


async def test_container_that_is_restarted_by_hand_runs_once(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        first = bed.engine.named("app_0")[0].id
        bed.engine.end(first, 137)
        await settle()
        bed.engine.revive(first)
        await settle()
        assert [each.name for each in bed.engine.named("app") if each.running] == ["sampan_u1_app_1"]
        assert bed.ready()


async def test_container_that_is_started_by_hand_while_it_backs_off_is_adopted(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        bed.engine.end("sampan_u1_app_1", 1)
        await settle()
        assert not bed.ready()
        bed.engine.revive("sampan_u1_app_1")
        await settle()
        assert bed.ready() and [each.name for each in bed.engine.named("app") if each.running] == ["sampan_u1_app_1"]


@pytest.mark.parametrize("wanted", [True, False])
async def test_container_that_a_dead_agents_call_made_late_does_not_outlive_its_pod(bed: Bed, wanted: bool) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        spec = bed.engine.specs[bed.engine.named("app")[0].id]
        gone = pod(deletion_at=bed.clock.now, grace_period_s=0)
        await manager.apply(desired(gone), complete=True)
        await settle()
        assert bed.names() == []
        if not wanted:
            await manager.apply(desired(), complete=True)
        await bed.engine.create(replace(spec, join=None))
        await settle()
        assert bed.names() == [] and manager.idle


async def test_sandbox_that_vanishes_unseen_is_replaced(bed: Bed) -> None:
    vanished: list[object] = []

    class Engine(FakeRuntime):
        async def start(self, container: ContainerId) -> None:
            if not vanished and "POD" in self.records[container].name:
                vanished.append(self.records.pop(container))
            await super().start(container)

    bed = replace(bed, engine=Engine(bed.clock))
    bed.engine.images = {PAUSE: "sha256:pause", IMAGE: "sha256:web"}
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await bed.clock.advance(5)
        assert bed.ready() and len(bed.engine.named("POD")) == 1 and len(bed.engine.named("app")) == 1


async def test_config_maps_and_secrets_are_mounted_to_be_read_only(bed: Bed) -> None:
    ref = ObjectRef("default", "c")
    mounts = (VolumeMount("k", "/k"), VolumeMount("e", "/e"))
    wanted = pod(
        containers=(Container("app", IMAGE, volume_mounts=mounts),),
        volumes=(Volume("k", KeysVolume("c", secret=False)), Volume("e", EmptyDir())),
    )
    async with bed.manager() as manager:
        await manager.apply(desired(wanted, config_maps={ref: ConfigMap(ref, {"a": b"1"})}), complete=True)
        await settle()
        made = bed.engine.specs[bed.engine.named("app")[0].id].mounts
        assert {each.target: each.read_only for each in made if each.target in ("/k", "/e")} == {
            "/k": True,
            "/e": False,
        }
        assert stat.S_IMODE((bed.config.state_dir / "pods").stat().st_mode) == 0o700


async def test_logs_of_the_present_and_the_previous_instance(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.write("sampan_u1_app_0", b"one\n", b"two\n")

        async def read(**options: object) -> bytes:
            chosen = LogOptions(**options)  # type: ignore[arg-type]
            return b"".join([each async for each in manager.logs(LogRequest("default", "web", UID, "app", chosen))])

        assert await read() == b"one\ntwo\n"
        assert await read(tail_lines=1) == b"two\n"
        assert await read(limit_bytes=5) == b"one\nt"
        with pytest.raises(LogUnavailable, match="no previous"):
            await read(previous=True)
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        assert await read(previous=True) == b"one\ntwo\n"
        with pytest.raises(LogUnavailable, match="not on this node"):
            manager.logs(LogRequest("default", "web", PodUid("other"), "app", LogOptions()))
