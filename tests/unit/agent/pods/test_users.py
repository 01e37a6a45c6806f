"""The users that containers run as: read from their first processes, kept, and shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import Container, RestartPolicy
from agent.pods.actions import ReadUser
from agent.pods.files import PodFiles
from agent.pods.names import container_labels
from agent.pods.reports import PROGRESS_S
from agent.pods.users import Users, user_of
from agent.pods.view import PodView
from agent.runtime.errors import TimedOut
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.statuses import ContainerUser, Terminated
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, pod

STATUS = "Name:\tsh\nUid:\t1000\t0\t0\t0\nGid:\t3000\t3000\t3000\t3000\nFDSize:\t64\nGroups:\t3000 4000 \nNStgid:\t7\n"
USER = ContainerUser(1000, 3000, (3000, 4000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STATUS, USER),
        (STATUS.replace("3000 4000 ", ""), ContainerUser(1000, 3000)),
        (STATUS.replace("Groups", "Other"), None),
        (STATUS.replace("\t1000\t0\t0\t0", ""), None),
        ("", None),
    ],
    ids=["groups", "no groups", "no line of groups", "no numbers", "nothing"],
)
def test_the_user_of_a_process(text: str, expected: ContainerUser | None) -> None:
    assert user_of(text) == expected


def run_processes(directory: Path, text: str = STATUS) -> None:
    """The processes of all containers of the fake engine."""
    for pid in range(1000, 1010):
        (directory / str(pid)).mkdir(parents=True, exist_ok=True)
        (directory / str(pid) / "status").write_text(text)


def shown(bed: Bed) -> ContainerUser | None:
    return bed.reporter.statuses[UID].containers[0].user


async def test_the_user_is_that_of_the_start_whatever_happens_later(bed: Bed) -> None:
    run_processes(bed.config.proc)
    web = pod(restart_policy=RestartPolicy.NEVER)
    async with bed.running(web):
        assert bed.ready() and shown(bed) == USER
    run_processes(bed.config.proc, STATUS.replace("1000", "7"))
    bed.reporter = FakeReporter()
    async with bed.running(web):
        assert shown(bed) == USER
        bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        assert isinstance(bed.state(), Terminated) and shown(bed) == USER


async def test_the_next_instance_has_a_user_of_its_own(bed: Bed) -> None:
    run_processes(bed.config.proc)
    async with bed.running(pod()):
        run_processes(bed.config.proc, STATUS.replace("1000", "7"))
        bed.engine.end("sampan_u1_app_0", 0)
        await bed.clock.advance(1.0)
        user = shown(bed)
        assert user is not None and user.uid == 7


async def test_a_container_that_an_older_agent_has_started_gets_its_user(bed: Bed) -> None:
    async with bed.running(pod()):
        assert bed.ready() and shown(bed) is None
    run_processes(bed.config.proc)
    async with bed.running(pod()):
        assert shown(bed) == USER


async def test_an_engine_that_does_not_answer_leaves_the_user_unknown(bed: Bed) -> None:
    run_processes(bed.config.proc)
    labels = container_labels(bed.config, pod(), Container("app", IMAGE), attempt=0, sandbox=0)
    view, action = PodView(), ReadUser("app", ContainerId("i1"))
    view.put(ContainerRecord(action.id, "sampan_u1_app_0", labels, ContainerPhase.RUNNING))
    bed.engine.fail_next("inspect", TimedOut("no answer"))
    await Users(bed.engine, view, PodFiles(bed.config, bed.config.state_dir), bed.config.proc).read(action)
    assert view.observed().users == {action.id: None}


async def test_a_pod_that_runs_is_reported_once_with_its_user(bed: Bed) -> None:
    run_processes(bed.config.proc)
    async with bed.running(pod()):
        assert [each.containers[0].user for each in bed.reporter.history] == [USER]


async def test_a_user_that_takes_long_to_learn_does_not_hold_up_the_status(bed: Bed) -> None:
    async with bed.running(pod()):
        (record,) = bed.engine.named("app")
        bed.engine.records[record.id] = replace(record, pid=0)
        bed.reporter = FakeReporter()
        bed.engine.stick(f"inspect {record.id}")
    (bed.config.state_dir / "pods" / UID / "containers" / "app" / f"{record.id}.user").unlink(missing_ok=True)
    async with bed.running(pod()):
        assert UID not in bed.reporter.statuses
        await bed.clock.advance(PROGRESS_S)
        assert bed.ready() and shown(bed) is None
