"""The rows of pods with init containers and sidecars, as `kubectl get pods` of Kubernetes shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from master.kinds.core.pod.container import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from master.kinds.core.pod.model import Pod, PodCondition, PodSpec, PodStatus
from master.kinds.core.pod.table import PODS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = ContainerState(running=ContainerStateRunning())
DONE = ContainerState(terminated=ContainerStateTerminated(exit_code=0, reason="Completed"))
CRASHED = ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff"))
WAITS = ContainerState(waiting=ContainerStateWaiting(reason="PodInitializing"))


def status(name: str, state: ContainerState, restarts: int = 0) -> ContainerStatus:
    runs = state.running is not None
    ready = runs or (name == "setup" and state is DONE)
    return ContainerStatus(name=name, state=state, restart_count=restarts, ready=ready, started=runs)


def row(setup: ContainerStatus, side: ContainerStatus, app: ContainerStatus, *true: str, phase: str) -> list[object]:
    spec = PodSpec(
        init_containers=(Container(name="setup"), Container(name="side", restart_policy="Always")),
        containers=(Container(name="app"),),
    )
    conditions = tuple(PodCondition(type=each, status="True") for each in true)
    statuses = PodStatus(
        phase=phase, conditions=conditions, init_container_statuses=(setup, side), container_statuses=(app,)
    )
    return list(PODS.cells(Pod(spec=spec, status=statuses), NOW))[1:4]


@pytest.mark.parametrize(
    ("setup", "side", "true", "expected"),
    [
        pytest.param(RUNNING, WAITS, (), ["0/2", "Init:0/2", "4"], id="the first one runs"),
        pytest.param(DONE, CRASHED, (), ["0/2", "Init:CrashLoopBackOff", "4"], id="a sidecar does not start"),
        pytest.param(DONE, RUNNING, (), ["1/2", "PodInitializing", "1"], id="all are done or run"),
    ],
)
def test_while_init_containers_run(
    setup: ContainerState, side: ContainerState, true: tuple[str, ...], expected: list[str]
) -> None:
    rows = row(status("setup", setup, 3), status("side", side, 1), status("app", WAITS), *true, phase="Pending")
    assert rows == expected


def test_a_pod_that_runs_counts_its_sidecars() -> None:
    side, app = status("side", RUNNING, 1), status("app", RUNNING, 2)
    assert row(status("setup", DONE, 3), side, app, "Initialized", "Ready", phase="Running") == ["2/2", "Running", "3"]


def test_a_sidecar_that_crashes_later_is_shown() -> None:
    side, app = status("side", CRASHED, 1), status("app", RUNNING)
    cells = row(status("setup", DONE, 3), side, app, "Initialized", phase="Running")
    assert cells == ["1/2", "Init:CrashLoopBackOff", "1"]


def test_a_pod_that_has_ended() -> None:
    side = ContainerState(terminated=ContainerStateTerminated(exit_code=143, reason="Error"))
    cells = row(status("setup", DONE), status("side", side), status("app", DONE), "Initialized", phase="Succeeded")
    assert cells == ["0/2", "Completed", "0"]
