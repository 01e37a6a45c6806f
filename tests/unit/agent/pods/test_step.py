"""The step function as a table: desired and observed state, and the next actions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from agent.model import Container, EnvVar, Pod, PodPhase, PodUid, RestartPolicy
from agent.pods.actions import SANDBOX_KEY, Action, Key, On
from agent.pods.backoff import Backoff
from agent.pods.memory import Memory, Retry, Signals
from agent.pods.names import spec_hash
from agent.pods.observed import Instance, Observed
from agent.pods.step import plan
from agent.pods.verdict import DEADLINE_EXCEEDED
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.statuses import Waiting
from proto.contract import Labels

NOW = 1000.0
APP = Container("app", "web:1")
PLAIN = Pod(PodUid("u1"), "default", "web", containers=(APP,))
DELETED = replace(PLAIN, deletion_at=NOW, grace_period_s=30)
CREATED, RUNNING, EXITED = ContainerPhase.CREATED, ContainerPhase.RUNNING, ContainerPhase.EXITED
SANDBOX_ID, APP_ID = ContainerId("s0"), ContainerId("app0")


def sandbox(
    phase: ContainerPhase = RUNNING,
    attempt: int = 0,
    *,
    started_at: float = 1.0,
    ended_at: float = 0.0,
    pid: int = 7,
    exact: bool = True,
) -> Instance:
    name = ContainerId(f"s{attempt}")
    record = ContainerRecord(name, "", {}, phase, pid=pid, started_at=started_at, finished_at=ended_at)
    return Instance(record, attempt, exact=exact)


def app(
    phase: ContainerPhase = RUNNING,
    attempt: int = 0,
    *,
    exit_code: int = 0,
    ended_at: float = 0.0,
    started_at: float = 1.0,
    joined: int = 0,
    spec: str = "",
    exact: bool = True,
) -> Instance:
    labels = {Labels.SPEC_HASH: spec or spec_hash(APP)}
    record = ContainerRecord(
        ContainerId(f"app{attempt}"),
        "",
        labels,
        phase,
        exit_code=exit_code,
        finished_at=ended_at,
        started_at=started_at,
    )
    return Instance(record, attempt, joined, exact)


def seen(sandboxes: tuple[Instance, ...] = (), apps: tuple[Instance, ...] = (), **more: object) -> Observed:
    """By default volumes and the next image are ready, the newest sandbox is connected, and users were asked for."""
    base = Observed(
        sandboxes=sandboxes,
        containers={"app": apps} if apps else {},
        attached=sandboxes[-1].id if sandboxes and sandboxes[-1].running else None,
        address="10.0.0.2",
        volumes_ready=True,
        attempts={"app": apps[-1].attempt} if apps else {},
        images={"app": apps[-1].attempt + 1 if apps else 0},
        users={app.id: None for app in apps},
    )
    return replace(base, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    id: str
    observed: Observed
    steps: tuple[str, ...]
    pod: Pod = PLAIN
    memory: Memory = field(default_factory=lambda: Memory(started_at=0.0))
    wake_at: float | None = None
    gone: bool = False


def short(action: Action) -> str:
    """An action as a short text with its parameters."""
    extra = getattr(action, "id", "") or getattr(action, "attempt", "")
    force = " force" if getattr(action, "force", False) else ""
    return f"{type(action).__name__} {extra}".strip() + force


def remembering(**what: object) -> Memory:
    return replace(Memory(started_at=0.0), **what)  # type: ignore[arg-type]


FRESH = Observed()
WAITING = Waiting("X")

CASES = [
    Case("nothing exists: all independent actions", FRESH, ("CreateSandbox 0", "PrepareVolumes", "EnsureImage 0")),
    Case(
        "a container is created while its sandbox starts",
        seen((sandbox(CREATED),)),
        ("StartSandbox s0", "CreateContainer 0"),
    ),
    Case(
        "a container that needs the address waits for it",
        seen((sandbox(CREATED),), address=""),
        ("StartSandbox s0",),
        pod=replace(PLAIN, containers=(replace(APP, env=(EnvVar("IP", field_path="status.podIP"),)),)),
    ),
    Case("no container before the volumes", seen((sandbox(),), volumes_ready=False), ("PrepareVolumes",)),
    Case("no start before the network", seen((sandbox(),), (app(CREATED),), attached=None), ("AttachNetwork",)),
    Case(
        "the network waits for the sandbox's pid",
        seen((sandbox(pid=0, exact=False),), (app(CREATED),), attached=None),
        (),
        memory=remembering(busy=frozenset({SANDBOX_KEY})),
    ),
    Case(
        "a sandbox known only from an event is inspected",
        seen((sandbox(pid=0, exact=False),), (app(CREATED),), attached=None),
        ("RefreshContainer s0",),
    ),
    Case("a created container is started", seen((sandbox(),), (app(CREATED),)), ("StartContainer app0",)),
    Case("running: nothing to do", seen((sandbox(),), (app(),)), ()),
    Case(
        "an action in progress is not started again",
        FRESH,
        ("PrepareVolumes", "EnsureImage 0"),
        memory=remembering(busy=frozenset({SANDBOX_KEY})),
    ),
    Case(
        "a failed action waits for its retry",
        FRESH,
        ("PrepareVolumes", "EnsureImage 0"),
        memory=remembering(retries={SANDBOX_KEY: Retry(NOW + 4, 4, WAITING)}),
        wake_at=NOW + 4,
    ),
    Case(
        "a first end: restart at once",
        seen((sandbox(),), (app(EXITED, exit_code=1, ended_at=NOW),)),
        ("CreateContainer 1",),
    ),
    Case(
        "a later end: back-off",
        seen((sandbox(),), (app(EXITED, 1, ended_at=NOW - 3),)),
        (),
        memory=remembering(restarts={"app": Backoff(10, NOW - 4)}),
        wake_at=NOW + 7,
    ),
    Case(
        "back-off is over",
        seen((sandbox(),), (app(EXITED, 1, ended_at=NOW - 11),)),
        ("CreateContainer 2",),
        memory=remembering(restarts={"app": Backoff(10, NOW - 14)}),
    ),
    Case(
        "crash-looping at the agent's start: the back-off is derived",
        seen((sandbox(),), (app(EXITED, 2, started_at=NOW - 1, ended_at=NOW),)),
        (),
        wake_at=NOW + 20,
    ),
    Case("a restart checks its image again", seen((sandbox(),), (app(EXITED),), images={"app": 0}), ("EnsureImage 1",)),
    Case(
        "the number of ended instances is bounded",
        seen((sandbox(),), (app(EXITED, 0), app(EXITED, 1), app(RUNNING, 2))),
        ("RemoveContainer app0",),
    ),
    Case(
        "an end known only from an event is inspected",
        seen((sandbox(),), (app(EXITED, exact=False),)),
        ("RefreshContainer app0", "CreateContainer 1"),
    ),
    Case(
        "another image replaces the container",
        seen((sandbox(),), (app(spec="1:0000"),)),
        ("SignalContainer app0",),
    ),
    Case("a hash of an unknown version is adopted", seen((sandbox(),), (app(spec="9:0000"),)), ()),
    Case(
        "ended sandbox: a new one, and its containers are stopped",
        seen((sandbox(EXITED, ended_at=NOW),), (app(),)),
        ("CreateSandbox 1", "SignalContainer app0"),
    ),
    Case(
        "a first sandbox that ended early is replaced at once",
        seen((sandbox(EXITED, started_at=NOW - 1, ended_at=NOW),)),
        ("CreateSandbox 1",),
    ),
    Case(
        "a later sandbox that ended early is replaced after a pause",
        seen((sandbox(EXITED, 1, started_at=NOW - 1, ended_at=NOW),)),
        (),
        wake_at=NOW + 5,
    ),
    Case(
        "an old sandbox is removed once there is a new one",
        seen((sandbox(EXITED), sandbox(RUNNING, 1)), (app(joined=1),)),
        ("RemoveContainer s0",),
    ),
    Case(
        "never restarted: the sandbox is removed",
        seen((sandbox(),), (app(EXITED),)),
        ("DetachNetwork",),
        pod=replace(PLAIN, restart_policy=RestartPolicy.NEVER),
    ),
    Case(
        "ended for the master, containers gone: nothing runs again",
        Observed(disk_clean=True),
        ("ReleaseNetwork",),
        pod=replace(PLAIN, ended_phase=PodPhase.SUCCEEDED),
    ),
    Case(
        "ended, and nothing is left to do",
        Observed(network_released=True),
        (),
        pod=replace(PLAIN, ended_phase=PodPhase.FAILED),
    ),
    Case(
        "ended, but a container runs: it is stopped",
        seen((sandbox(),), (app(),)),
        ("SignalContainer app0",),
        pod=replace(PLAIN, ended_phase=PodPhase.FAILED),
    ),
    Case(
        "ended for this agent, container removed by hand: nothing runs again",
        Observed(network_released=True, attempts={"app": 0}),
        (),
        pod=replace(PLAIN, restart_policy=RestartPolicy.NEVER),
        memory=remembering(ended=True),
    ),
    Case(
        "past its active deadline: that is written down, and the containers are stopped",
        seen((sandbox(),), (app(),)),
        ("KeepVerdict", "SignalContainer app0"),
        memory=remembering(verdict=DEADLINE_EXCEEDED),
    ),
    Case(
        "past its active deadline, stopped and written down: the sandbox is removed",
        seen((sandbox(),), (app(EXITED),), verdict_kept=True),
        ("DetachNetwork",),
        memory=remembering(verdict=DEADLINE_EXCEEDED),
    ),
    Case(
        "before its active deadline",
        seen((sandbox(),), (app(),)),
        (),
        pod=replace(PLAIN, active_deadline_s=1010),
        wake_at=1010,
    ),
    Case("deletion sends the stop signal first", seen((sandbox(),), (app(),)), ("SignalContainer app0",), pod=DELETED),
    Case(
        "deletion waits for the grace period",
        seen((sandbox(),), (app(),)),
        (),
        pod=DELETED,
        memory=remembering(signals={APP_ID: Signals(asked_at=NOW - 10)}),
        wake_at=NOW + 20,
    ),
    Case(
        "deletion kills after the grace period",
        seen((sandbox(),), (app(),)),
        ("SignalContainer app0 force",),
        pod=DELETED,
        memory=remembering(signals={APP_ID: Signals(asked_at=NOW - 30)}),
    ),
    Case(
        "no grace",
        seen((sandbox(),), (app(),)),
        ("SignalContainer app0 force",),
        pod=replace(DELETED, grace_period_s=0),
    ),
    Case(
        "containers and the network before the sandbox",
        seen((sandbox(),), (app(EXITED),)),
        ("RemoveContainer app0", "DetachNetwork"),
        pod=DELETED,
    ),
    Case(
        "the sandbox is removed before the address is freed",
        seen((sandbox(),), attached=None),
        ("RemoveContainer s0",),
        pod=DELETED,
    ),
    Case("the address is freed", seen(attached=None), ("ReleaseNetwork",), pod=DELETED),
    Case("the files are removed last", seen(attached=None, network_released=True), ("CleanDisk",), pod=DELETED),
    Case("nothing is left", seen(network_released=True, disk_clean=True), (), pod=DELETED, gone=True),
    Case(
        "deletion waits for a creation in progress",
        seen((sandbox(),)),
        (),
        pod=DELETED,
        memory=remembering(busy=frozenset({Key(On.CONTAINER, "app")})),
    ),
    Case(
        "deletion does not wait for a pull",
        seen((sandbox(),), attached=None),
        ("RemoveContainer s0",),
        pod=DELETED,
        memory=remembering(busy=frozenset({Key(On.IMAGE, "app")})),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_step(case: Case) -> None:
    step = plan(case.pod, case.observed, case.memory, NOW)
    assert tuple(short(action) for action in step.actions) == case.steps
    assert (step.wake_at, step.gone) == (case.wake_at, case.gone)
