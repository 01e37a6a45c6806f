"""Which container a process is started in."""

from __future__ import annotations

import pytest

from agent.model import Container, Pod, PodUid, ProcessRequest
from agent.pods.errors import ProcessUnavailable
from agent.pods.observed import Instance, Observed
from agent.pods.processes import open_process
from agent.runtime.fakeprocess import FakeExec, FakeProcess
from agent.runtime.process import Command
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord

POD = Pod(PodUid("u"), "default", "web", containers=(Container("app", "image"),))


def observed(*phases: ContainerPhase) -> Observed:
    instances = tuple(
        Instance(ContainerRecord(ContainerId(f"c{attempt}"), f"c{attempt}", {}, phase=phase), attempt)
        for attempt, phase in enumerate(phases)
    )
    return Observed(containers={"app": instances})


def request(container: str = "app", *command: str) -> ProcessRequest:
    return ProcessRequest("default", "web", PodUid("u"), container, command=command, stdout=True, tty=True)


@pytest.mark.parametrize("command", [("sh", "-c"), ()], ids=["exec", "attach"])
async def test_the_newest_instance_is_used(command: tuple[str, ...]) -> None:
    fake = FakeExec(lambda _: None)
    fake.processes[command] = FakeProcess()
    state = observed(ContainerPhase.EXITED, ContainerPhase.RUNNING)
    async with open_process(fake, POD, state, request("app", *command)):
        pass
    assert fake.opened == {"c1": [Command(command, stdin=False, stdout=True, stderr=False, tty=True)]}


@pytest.mark.parametrize(
    ("container", "phases"),
    [
        pytest.param("app", (ContainerPhase.RUNNING, ContainerPhase.EXITED), id="ended"),
        pytest.param("app", (ContainerPhase.CREATED,), id="not started"),
        pytest.param("app", (), id="not created"),
        pytest.param("other", (ContainerPhase.RUNNING,), id="another container"),
    ],
)
def test_a_container_that_does_not_run_is_refused(container: str, phases: tuple[ContainerPhase, ...]) -> None:
    with pytest.raises(ProcessUnavailable, match=f'container not found \\("{container}"\\)'):
        open_process(FakeExec(lambda _: None), POD, observed(*phases), request(container, "sh"))
