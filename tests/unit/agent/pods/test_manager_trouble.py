"""Missing objects, failing calls, and changes of the engine by others: reported, retried, and repaired."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest

from agent.model import (
    ConfigMap,
    Container,
    DownwardFile,
    DownwardSource,
    EmptyDir,
    EnvVar,
    FilesVolume,
    KeyRef,
    KeysSource,
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
from agent.runtime.records import ContainerId
from agent.statuses import Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, PAUSE, UID, Bed, desired, pod


async def test_a_missing_image_backs_off_and_recovers(bed: Bed) -> None:
    web = pod(containers=(Container("app", "far:1"),))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
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


async def test_a_missing_config_map_is_waited_for(bed: Bed) -> None:
    variable = EnvVar("K", config_map_key=KeyRef("c", "k"))
    web = pod(containers=(Container("app", IMAGE, env=(variable,)),))
    ref = ObjectRef("default", "c")
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert "default/c" in state.message
        await manager.apply(desired(web, config_maps={ref: ConfigMap(ref, {"k": b"v"})}), complete=True)
        await settle()
        assert bed.ready()
        assert "K=v" in bed.engine.specs[bed.engine.named("app")[0].id].env


async def test_a_secret_that_is_not_on_disk_is_waited_for(bed: Bed) -> None:
    web = pod(volumes=(Volume("s", FilesVolume((KeysSource("pw", secret=True),))),))
    ref = ObjectRef("default", "pw")
    async with bed.manager() as manager:
        await manager.apply(desired(web, secrets_known=False), complete=False)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and "waiting for the master" in state.message
        assert "FailedMount" in bed.reporter.reasons()
        await manager.apply(desired(web, secrets={ref: Secret(ref, {"k": b"v"})}), complete=True)
        await settle()
        assert bed.ready() and len(bed.memory.mounted) == 1


async def test_a_changed_label_is_in_the_files_that_show_it(bed: Bed) -> None:
    items = (DownwardFile("labels", "metadata.labels"),)
    shown = pod(volumes=(Volume("v", FilesVolume((DownwardSource(items),))),), labels={"a": "1"})
    async with bed.manager() as manager:
        await manager.apply(desired(shown), complete=True)
        await settle()
        assert bed.ready()
        file = bed.config.state_dir / "pods" / UID / "volumes/v/labels"
        assert file.read_text() == 'a="1"'
        await manager.apply(desired(replace(shown, labels={"a": "2"})), complete=True)
        await settle()
        assert file.read_text() == 'a="2"' and bed.ready()
        assert len(bed.engine.named("app")) == 1, "no container was replaced"


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


async def test_a_network_failure_is_reported_and_retried(bed: Bed) -> None:
    bed.network.failures = [OSError("no addresses left")]
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        assert bed.state() == Waiting("ContainerCreating", "no addresses left")
        assert "FailedCreatePodSandBox" in bed.reporter.reasons()
        await bed.clock.advance(1)
        assert bed.ready()


async def test_containers_are_listed_again_when_the_engine_is_back(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.fail_next("events", EngineGone("away"), EngineGone("away"))
        bed.engine.drop_streams()
        await settle()
        bed.engine.end("sampan_u1_app_0", 1)  # without an event
        await settle()
        assert bed.ready()
        await bed.clock.advance(2)
        assert bed.ready() and bed.reporter.statuses[UID].containers[0].restart_count == 1


async def test_an_existing_container_of_the_same_name_is_adopted(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        made = bed.engine.named("app_0")[0]
    # As after an agent that died before it recorded the engine's answer, and whose list came too early.
    records = dict(bed.engine.records)
    bed.engine.records.clear()
    async with bed.manager() as manager:
        bed.engine.records.update(records)
        await manager.apply(desired(pod()), complete=True)
        await settle()
        assert bed.ready()
        assert [record.id for record in bed.engine.named("app")] == [made.id]


async def test_a_container_restarted_by_hand_runs_only_once(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        first = bed.engine.named("app_0")[0].id
        bed.engine.end(first, 137)
        await settle()
        bed.engine.revive(first)
        await settle()
        assert [record.name for record in bed.engine.named("app") if record.running] == ["sampan_u1_app_1"]
        assert bed.ready()


async def test_a_container_started_by_hand_during_its_back_off_is_adopted(bed: Bed) -> None:
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
        assert bed.ready() and [record.name for record in bed.engine.named("app") if record.running] == [
            "sampan_u1_app_1"
        ]


@pytest.mark.parametrize("known", [True, False])
async def test_a_container_created_late_by_a_dead_agents_call_is_removed(bed: Bed, known: bool) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        spec = bed.engine.specs[bed.engine.named("app")[0].id]
        gone = pod(deletion_at=bed.clock.now, grace_period_s=0)
        await manager.apply(desired(gone), complete=True)
        await settle()
        assert bed.names() == []
        if not known:
            await manager.apply(desired(), complete=True)
        await bed.engine.create(replace(spec, join=None))
        await settle()
        assert bed.names() == [] and manager.idle


async def test_a_sandbox_that_disappears_without_an_event_is_replaced(bed: Bed) -> None:
    vanished: list[object] = []

    class Engine(FakeRuntime):
        async def start(self, container: ContainerId) -> None:
            if not vanished and "POD" in self.records[container].name:
                vanished.append(self.records.pop(container))
            await super().start(container)

    bed = replace(bed, engine=Engine(bed.clock))
    bed.engine.present = {PAUSE: "sha256:pause", IMAGE: "sha256:web"}
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await bed.clock.advance(5)
        assert bed.ready() and len(bed.engine.named("POD")) == 1 and len(bed.engine.named("app")) == 1


async def test_config_maps_and_secrets_are_mounted_read_only(bed: Bed) -> None:
    ref = ObjectRef("default", "c")
    mounts = (VolumeMount("k", "/k"), VolumeMount("e", "/e"))
    web = pod(
        containers=(Container("app", IMAGE, volume_mounts=mounts),),
        volumes=(Volume("k", FilesVolume((KeysSource("c", secret=False),), in_memory=False)), Volume("e", EmptyDir())),
    )
    async with bed.manager() as manager:
        await manager.apply(desired(web, config_maps={ref: ConfigMap(ref, {"a": b"1"})}), complete=True)
        await settle()
        made = bed.engine.specs[bed.engine.named("app")[0].id].mounts
        assert {mount.target: mount.read_only for mount in made if mount.target in ("/k", "/e")} == {
            "/k": True,
            "/e": False,
        }
        assert stat.S_IMODE((bed.config.state_dir / "pods").stat().st_mode) == 0o700


async def test_logs_of_the_current_and_the_previous_instance(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.engine.write("sampan_u1_app_0", b"one\n", b"two\n")

        async def read(**options: object) -> bytes:
            chosen = LogOptions(**options)  # type: ignore[arg-type]
            return b"".join([piece async for piece in manager.logs(LogRequest("default", "web", UID, "app", chosen))])

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
