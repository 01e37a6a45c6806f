"""The step function as a table: what is desired and observed, and what is to be done next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from agent.model import Container, EnvVar, Pod, PodPhase, PodUid, RestartPolicy
from agent.pods.actions import Action
from agent.pods.backoff import Backoff
from agent.pods.memory import Memory, Retry, Signals
from agent.pods.names import spec_hash
from agent.pods.observed import Instance, Observed
from agent.pods.step import plan
from agent.runtime.interface import ContainerId, ContainerPhase, ContainerRecord
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
    """Volumes and the next image are ready, and the newest sandbox is wired, unless told otherwise."""
    base = Observed(
        sandboxes=sandboxes,
        containers={"app": apps} if apps else {},
        attached=sandboxes[-1].id if sandboxes and sandboxes[-1].running else None,
        address="10.0.0.2",
        volumes_ready=True,
        attempts={"app": apps[-1].attempt} if apps else {},
        images={"app": apps[-1].attempt + 1 if apps else 0},
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


def told(action: Action) -> str:
    """An action in a word, with what distinguishes it."""
    extra = getattr(action, "id", "") or getattr(action, "attempt", "")
    force = " force" if getattr(action, "force", False) else ""
    return f"{type(action).__name__} {extra}".strip() + force


def remembering(**what: object) -> Memory:
    return replace(Memory(started_at=0.0), **what)  # type: ignore[arg-type]


FRESH = Observed()
WAITING = Waiting("X")

CASES = [
    Case("nothing there: all that does not depend", FRESH, ("CreateSandbox 0", "PrepareVolumes", "EnsureImage 0")),
    Case(
        "container is made while its sandbox starts",
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
    Case("no start before the wire", seen((sandbox(),), (app(CREATED),), attached=None), ("AttachNetwork",)),
    Case(
        "no wire before the sandbox's pid is known",
        seen((sandbox(pid=0, exact=False),), (app(CREATED),), attached=None),
        (),
        memory=remembering(busy=frozenset({"sandbox"})),
    ),
    Case(
        "a sandbox that only an event told of is looked at",
        seen((sandbox(pid=0, exact=False),), (app(CREATED),), attached=None),
        ("RefreshContainer s0",),
    ),
    Case("start", seen((sandbox(),), (app(CREATED),)), ("StartContainer app0",)),
    Case("all well", seen((sandbox(),), (app(),)), ()),
    Case(
        "what is under way is not begun twice",
        FRESH,
        ("PrepareVolumes", "EnsureImage 0"),
        memory=remembering(busy=frozenset({"sandbox"})),
    ),
    Case(
        "what failed waits",
        FRESH,
        ("PrepareVolumes", "EnsureImage 0"),
        memory=remembering(retries={"sandbox": Retry(NOW + 4, 4, WAITING)}),
        wake_at=NOW + 4,
    ),
    Case("first end: at once", seen((sandbox(),), (app(EXITED, exit_code=1, ended_at=NOW),)), ("CreateContainer 1",)),
    Case(
        "later end: back-off",
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
        "found crash-looping: back-off is assumed",
        seen((sandbox(),), (app(EXITED, 2, started_at=NOW - 1, ended_at=NOW),)),
        (),
        wake_at=NOW + 20,
    ),
    Case("restart asks for its image anew", seen((sandbox(),), (app(EXITED),), images={"app": 0}), ("EnsureImage 1",)),
    Case(
        "dead instances are bounded",
        seen((sandbox(),), (app(EXITED, 0), app(EXITED, 1), app(RUNNING, 2))),
        ("RemoveContainer app0",),
    ),
    Case(
        "an event's word is looked up",
        seen((sandbox(),), (app(EXITED, exact=False),)),
        ("RefreshContainer app0", "CreateContainer 1"),
    ),
    Case(
        "another image replaces",
        seen((sandbox(),), (app(spec="1:0000"),)),
        ("SignalContainer app0",),
    ),
    Case("a hash of an unknown version is adopted", seen((sandbox(),), (app(spec="9:0000"),)), ()),
    Case(
        "dead sandbox: a new one, and its containers end",
        seen((sandbox(EXITED, ended_at=NOW),), (app(),)),
        ("CreateSandbox 1", "SignalContainer app0"),
    ),
    Case(
        "young sandbox that went with its host is made again at once",
        seen((sandbox(EXITED, started_at=NOW - 1, ended_at=NOW),)),
        ("CreateSandbox 1",),
    ),
    Case(
        "sandbox that dies at once is not made in a loop",
        seen((sandbox(EXITED, 1, started_at=NOW - 1, ended_at=NOW),)),
        (),
        wake_at=NOW + 5,
    ),
    Case(
        "old sandbox goes once there is a new one",
        seen((sandbox(EXITED), sandbox(RUNNING, 1)), (app(joined=1),)),
        ("RemoveContainer s0",),
    ),
    Case(
        "never restarted: the sandbox goes",
        seen((sandbox(),), (app(EXITED),)),
        ("DetachNetwork",),
        pod=replace(PLAIN, restart_policy=RestartPolicy.NEVER),
    ),
    Case(
        "ended, as the master knows, and its containers are gone: nothing runs again",
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
        "ended, but something runs: it is stopped",
        seen((sandbox(),), (app(),)),
        ("SignalContainer app0",),
        pod=replace(PLAIN, ended_phase=PodPhase.FAILED),
    ),
    Case(
        "ended in this agent's life, container removed by hand",
        Observed(network_released=True, attempts={"app": 0}),
        (),
        pod=replace(PLAIN, restart_policy=RestartPolicy.NEVER),
        memory=remembering(ended=True),
    ),
    Case(
        "too long active: ended",
        seen((sandbox(),), (app(),)),
        ("SignalContainer app0",),
        pod=replace(PLAIN, active_deadline_s=10),
    ),
    Case(
        "not yet too long", seen((sandbox(),), (app(),)), (), pod=replace(PLAIN, active_deadline_s=1010), wake_at=1010
    ),
    Case("deletion asks first", seen((sandbox(),), (app(),)), ("SignalContainer app0",), pod=DELETED),
    Case(
        "deletion waits the grace period",
        seen((sandbox(),), (app(),)),
        (),
        pod=DELETED,
        memory=remembering(signals={APP_ID: Signals(asked_at=NOW - 10)}),
        wake_at=NOW + 20,
    ),
    Case(
        "deletion ends what does not end",
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
        "containers and the wire before the sandbox",
        seen((sandbox(),), (app(EXITED),)),
        ("RemoveContainer app0", "DetachNetwork"),
        pod=DELETED,
    ),
    Case("the sandbox before the address", seen((sandbox(),), attached=None), ("RemoveContainer s0",), pod=DELETED),
    Case("the address", seen(attached=None), ("ReleaseNetwork",), pod=DELETED),
    Case("the disk last", seen(attached=None, network_released=True), ("CleanDisk",), pod=DELETED),
    Case("gone", seen(network_released=True, disk_clean=True), (), pod=DELETED, gone=True),
    Case(
        "deletion waits for what is being made",
        seen((sandbox(),)),
        (),
        pod=DELETED,
        memory=remembering(busy=frozenset({"container/app"})),
    ),
    Case(
        "deletion does not wait for a pull",
        seen((sandbox(),), attached=None),
        ("RemoveContainer s0",),
        pod=DELETED,
        memory=remembering(busy=frozenset({"image/app"})),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_step(case: Case) -> None:
    step = plan(case.pod, case.observed, case.memory, NOW)
    assert tuple(told(each) for each in step.actions) == case.steps
    assert (step.wake_at, step.gone) == (case.wake_at, case.gone)
