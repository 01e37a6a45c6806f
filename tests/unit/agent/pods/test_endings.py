"""What a pod's status and logs say about containers that have ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import Container, LogOptions, LogRequest, PodPhase, RestartPolicy
from agent.pods.manager import PodManager
from agent.runtime.errors import PullFailed
from agent.statuses import Terminated, Waiting
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

DELETED = pod(deletion_at=1.0, grace_period_s=5)


@pytest.mark.parametrize(("exit_code", "phase"), [(0, PodPhase.SUCCEEDED), (3, PodPhase.FAILED)])
async def test_a_deleted_pod_shows_how_it_ended_until_it_is_gone(bed: Bed, exit_code: int, phase: PodPhase) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        bed.reporter.history.clear()
        await manager.apply(desired(DELETED), complete=True)
        await settle()
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        assert bed.reporter.gone == [UID]
    status = bed.reporter.history[-1]
    state = status.containers[0].state
    assert isinstance(state, Terminated) and state.exit_code == exit_code and status.phase is phase
    assert not [each for each in bed.reporter.history if isinstance(each.containers[0].state, Waiting)]


async def test_an_agent_that_finds_the_rest_of_a_deleted_pod_does_not_change_its_status(bed: Bed) -> None:
    two = (Container("app", IMAGE), Container("side", IMAGE))
    async with bed.manager() as manager:
        await manager.apply(desired(pod(containers=two)), complete=True)
        await settle()
    bed.engine.end("sampan_u1_app_0", 0)
    del bed.engine.records[bed.engine.named("app")[0].id]
    bed.engine.end("sampan_u1_side_0", 0)
    bed.reporter = FakeReporter()
    async with bed.manager() as manager:
        await manager.apply(desired(replace(DELETED, containers=two)), complete=True)
        await settle()
    assert bed.reporter.gone == [UID] and not bed.reporter.history


async def test_the_termination_message_is_the_end_of_the_file(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        mounts = bed.engine.specs[bed.engine.named("app")[0].id].mounts
        file = next(Path(mount.source) for mount in mounts if mount.target == "/dev/termination-log")
        file.write_text("first " * 1000 + "last")
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        last = bed.reporter.statuses[UID].containers[0].last_state
        assert last is not None and len(last.message) == 4096 and last.message.endswith("first last")


@pytest.mark.parametrize(
    ("from_log", "exit_code", "file", "expected"),
    [
        pytest.param(True, 1, "", "x" * 2048, id="the end of the log"),
        pytest.param(True, 1, "own words", "own words", id="it has a message"),
        pytest.param(True, 0, "", "", id="it succeeded"),
        pytest.param(False, 1, "", "", id="not asked for"),
    ],
)
async def test_the_end_of_the_log_replaces_a_missing_message(
    bed: Bed, from_log: bool, exit_code: int, file: str, expected: str
) -> None:
    app = Container("app", IMAGE, termination_message_from_log=from_log)
    async with bed.manager() as manager:
        await manager.apply(desired(pod(containers=(app,), restart_policy=RestartPolicy.NEVER)), complete=True)
        await settle()
        mounts = bed.engine.specs[bed.engine.named("app")[0].id].mounts
        next(Path(mount.source) for mount in mounts if mount.target == "/dev/termination-log").write_text(file)
        bed.engine.write("sampan_u1_app_0", b"first ", *[b"x" * 1000] * 3)
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        state = bed.state()
        assert isinstance(state, Terminated) and state.message == expected


async def test_the_previous_log_is_that_of_the_last_state(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        for attempt in (0, 1):
            bed.engine.write(f"sampan_u1_app_{attempt}", b"crash %d\n" % attempt)
            bed.engine.end(f"sampan_u1_app_{attempt}", 1)
            await settle()
        waiting = bed.state()
        assert isinstance(waiting, Waiting) and waiting.reason == "CrashLoopBackOff"
        # Between two crashes, the log and the previous log are that of the last crash.
        assert await _log(manager, previous=True) == b"crash 1\n"
        assert await _log(manager, previous=False) == b"crash 1\n"
        await bed.clock.advance(11)
        assert await _log(manager, previous=True) == b"crash 1\n"


async def _log(manager: PodManager, *, previous: bool) -> bytes:
    request = LogRequest("default", "web", UID, "app", LogOptions(previous=previous))
    return b"".join([piece async for piece in manager.logs(request)])


@pytest.mark.parametrize(
    ("edit", "pulls"),
    [
        pytest.param(lambda web: replace(web, labels={"a": "b"}), 1, id="a label"),
        pytest.param(lambda web: replace(web, active_deadline_s=5000), 1, id="the deadline"),
        pytest.param(lambda web: replace(web, containers=(Container("app", "other:1"),)), 2, id="the image"),
    ],
)
async def test_only_another_image_is_pulled_sooner_than_the_back_off_says(
    bed: Bed, edit: Callable[..., object], pulls: int
) -> None:
    missing = pod(containers=(Container("app", "missing:1"),))
    bed.engine.fail_next("pull", *[PullFailed("no registry")] * 3)
    async with bed.manager() as manager:
        await manager.apply(desired(missing), complete=True)
        await settle()
        await manager.apply(desired(edit(missing)), complete=True)  # type: ignore[arg-type]
        await settle()
        assert len([name for call, name in bed.engine.calls if call == "pull"]) == pulls


@pytest.mark.parametrize("policy", list(RestartPolicy))
async def test_a_pod_past_its_deadline_does_not_run_again_after_a_restart_without_the_master(
    bed: Bed, policy: RestartPolicy
) -> None:
    limited = pod(active_deadline_s=100, restart_policy=policy)
    async with bed.manager() as manager:
        await manager.apply(desired(limited), complete=True)
        await bed.clock.advance(101)
        await bed.clock.advance(31)
        assert [record.running for record in bed.engine.named("")] == [False]
    bed.reporter = FakeReporter()
    async with bed.manager() as manager:
        await manager.apply(desired(limited), complete=False)
        await bed.clock.advance(1000)
        assert not any(record.running for record in bed.engine.named(""))
        status = bed.reporter.statuses[UID]
        assert (status.phase, status.reason) == (PodPhase.FAILED, "DeadlineExceeded")
        assert isinstance(status.containers[0].state, Terminated)


async def test_a_verdict_that_cannot_be_read_is_none(bed: Bed) -> None:
    file = bed.config.state_dir / "pods" / UID / "verdict.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"phase": "Fai')
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
        assert bed.ready()


@pytest.mark.parametrize("again", ["deleted", "listed again", "agent restarted"])
async def test_a_pod_that_has_ended_stays_as_it_ended_after_its_deadline(bed: Bed, again: str) -> None:
    limited = pod(active_deadline_s=20, restart_policy=RestartPolicy.NEVER)
    ended = replace(limited, ended_phase=PodPhase.SUCCEEDED)
    async with bed.manager() as manager:
        await manager.apply(desired(limited), complete=True)
        await bed.clock.advance(5)
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        await bed.clock.advance(3600)
        if again == "deleted":
            await manager.apply(desired(replace(ended, deletion_at=1.0)), complete=True)
        elif again == "listed again":
            bed.engine.drop_streams()
        await bed.clock.advance(10)
    async with bed.manager() as manager:
        await manager.apply(desired(ended) if again != "deleted" else desired(), complete=True)
        await bed.clock.advance(3600)
    phases = [each.phase for each in bed.reporter.history]
    assert set(phases[phases.index(PodPhase.SUCCEEDED) :]) == {PodPhase.SUCCEEDED}
    assert not any(each.reason for each in bed.reporter.history)


async def test_a_pod_past_its_deadline_has_failed_when_its_containers_have_ended(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    async with bed.manager() as manager:
        await manager.apply(desired(pod(active_deadline_s=20, grace_period_s=10)), complete=True)
        await bed.clock.advance(25)
        assert bed.reporter.statuses[UID].phase is PodPhase.RUNNING
        await bed.clock.advance(6)
        assert bed.reporter.statuses[UID].phase is PodPhase.FAILED


async def test_a_pod_that_is_deleted_in_its_init_phase_shows_how_its_init_containers_ended(bed: Bed) -> None:
    web = pod(init_containers=(Container("setup", IMAGE),))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
        await manager.apply(desired(replace(web, deletion_at=1.0)), complete=True)
        await settle()
        assert bed.reporter.gone == [UID]
    state = bed.reporter.history[-1].init_containers[0].state
    assert isinstance(state, Terminated) and state.exit_code == 143
