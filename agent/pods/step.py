"""The next actions for a pod: a pure function of the desired, observed and remembered state, and of the time.

Owns the order of actions: sandbox and network, volumes, images, init containers one after the other, containers.
Independent actions are planned together. Does no I/O and remembers nothing; worker.py has the actions performed and
calls `plan` again after every change.
"""

from __future__ import annotations

from typing import Final

from agent.model import Container, Pod, RestartPolicy
from agent.pods.actions import (
    AttachNetwork,
    CleanDisk,
    CreateContainer,
    CreateSandbox,
    DetachNetwork,
    EnsureImage,
    KeepVerdict,
    Key,
    On,
    PostStart,
    PrepareVolumes,
    ReleaseNetwork,
    ReleaseVolumes,
    RemoveContainer,
    StartContainer,
    StartSandbox,
)
from agent.pods.draft import Draft, Plan
from agent.pods.health import Fault
from agent.pods.lifecycle import deadline, finished, grace_s_of, is_over, next_init
from agent.pods.memory import Memory
from agent.pods.observed import Instance, Observed
from agent.pods.restartall import restart_all
from agent.pods.roles import policy_of
from agent.pods.stage import Stage, Standing, allowed, joined, standing_of
from agent.pods.trees import asks_for_trees
from agent.pods.volumeimages import missing_volume, pulls_for

_SHORT_LIFE_S: Final = 5.0


def plan(pod: Pod, observed: Observed, memory: Memory, now: float) -> Plan:
    """The next actions of a pod."""
    draft = Draft(pod, observed, memory, now)
    draft.refresh()
    if pod.deleted:
        return _tear_down(draft)
    if is_over(pod, memory) or finished(pod, observed):
        _wind_down(draft)
    else:
        if until := deadline(pod, memory):
            draft.wake(until)
        if not restart_all(draft):
            _advance(draft)
    return draft.plan()


# --- a pod that should run -----------------------------------------------------------------------------------------


def _advance(draft: Draft) -> None:
    _sandbox(draft)
    until = draft.memory.volumes_until
    if not draft.observed.volumes_ready or 0 < until <= draft.now:
        draft.add(PrepareVolumes())
    elif until:
        draft.wake(until)
    if not _stop_stale(draft) and draft.pod.init_containers:
        return  # init containers run again, with no other container running
    for container in draft.pod.ephemeral_containers:
        _container(draft, container, held=False)
    held = False
    for container in allowed(draft.pod, next_init(draft.pod, draft.observed)):
        _container(draft, container, held=held)
        held = held or _holds_others(draft, container)
    _remove_unknown(draft)


def _sandbox(draft: Draft) -> None:
    observed, sandbox = draft.observed, draft.observed.live_sandbox
    for old in observed.sandboxes[:-1]:
        draft.add(RemoveContainer(old.id))
    if sandbox is None:
        _new_sandbox(draft)
    elif not sandbox.running:
        draft.add(StartSandbox(sandbox.id))
    elif sandbox.attachable and observed.attached != sandbox.id:
        draft.add(AttachNetwork(sandbox.id, sandbox.record.pid))


def _stop_stale(draft: Draft) -> bool:
    """Stop containers whose sandbox, and with it their network, is gone; True when none of them is running."""
    instances = draft.observed.all_containers
    stale = [instance for instance in instances if instance.running and not joined(draft.observed, instance)]
    for instance in stale:
        name = draft.observed.name_of(instance)
        # As in Kubernetes, what is never restarted ends with the sandbox.
        container = draft.pod.container(name)
        again = container is not None and policy_of(draft.pod, container) is not RestartPolicy.NEVER
        message = f"Stopping container {name}: the pod's sandbox has ended"
        draft.stop(name, instance, grace_s=draft.pod.grace_period_s, message=message, replaces=again)
    return not stale


def _new_sandbox(draft: Draft) -> None:
    """At once, but with a pause if the last one ended early. The first may have ended with its host or engine."""
    dead = draft.observed.sandbox
    if dead is not None and dead.attempt > 0 and dead.ended_at - dead.record.started_at < _SHORT_LIFE_S:
        ready_at = dead.ended_at + _SHORT_LIFE_S
        if draft.now < ready_at <= draft.now + _SHORT_LIFE_S:
            draft.wake(ready_at)
            return
    draft.add(CreateSandbox(draft.observed.next_sandbox_attempt))


def _container(draft: Draft, container: Container, *, held: bool) -> None:
    """Plan for one container that may run now; `held`: it must not start yet."""
    standing = standing_of(draft.pod, container, draft.observed, draft.memory, draft.now)
    _forget_old(draft, container.name)
    match standing:
        case Standing(Stage.ABSENT | Stage.RESTARTS):
            _create(draft, container, held=held)
        case Standing(Stage.CREATED, Instance() as instance) if draft.observed.connected and not held:
            draft.add(StartContainer(container, instance.id))
        case Standing(Stage.STARTING, Instance() as instance):
            draft.add(PostStart(container, instance.id))
        case Standing(Stage.UNHEALTHY, Instance() as instance):
            _stop_unhealthy(draft, container, instance)
        case Standing(Stage.STALE, Instance() as instance):
            _replace(draft, container, instance)
        case Standing(Stage.BACKS_OFF):
            draft.wake(standing.restart_at)
        case _:
            pass


def _holds_others(draft: Draft, container: Container) -> bool:
    """Whether the containers after this one start later: as in Kubernetes, they wait for its postStart hook. They do
    not wait for a container that cannot be created.
    """
    if container.checks.post_start is None:
        return False
    if draft.memory.retries.keys() & {Key(On.IMAGE, container.name), Key(On.CONTAINER, container.name)}:
        return False
    stage = standing_of(draft.pod, container, draft.observed, draft.memory, draft.now).stage
    return stage in (Stage.ABSENT, Stage.CREATED, Stage.STARTING)


def _stop_unhealthy(draft: Draft, container: Container, instance: Instance) -> None:
    """Stop an instance whose probe or postStart hook has failed. Its end is treated like any other."""
    checks, grace_s = container.checks, float(draft.pod.grace_period_s)
    fault = draft.observed.health_of(instance.id).fault
    probe = {Fault.STARTUP: checks.startup, Fault.LIVENESS: checks.liveness}.get(fault) if fault else None
    if probe is not None and probe.grace_period_s is not None:
        grace_s = probe.grace_period_s
    message = f"Container {container.name} failed {fault}"
    if policy_of(draft.pod, container) is not RestartPolicy.NEVER:
        message += ", will be restarted"
    draft.stop(container.name, instance, grace_s=grace_s, message=message)


def _replace(draft: Draft, container: Container, instance: Instance) -> None:
    if not instance.running:
        draft.add(RemoveContainer(instance.id))
    elif joined(draft.observed, instance):
        message = f"Stopping container {container.name}: its definition changed"
        draft.stop(container.name, instance, grace_s=draft.pod.grace_period_s, message=message, replaces=True)


def _create(draft: Draft, container: Container, *, held: bool) -> None:
    observed, sandbox = draft.observed, draft.observed.live_sandbox
    attempt = observed.attempts.get(container.name, -1) + 1
    before = observed.newest(container.name)
    if before is not None and observed.has_trees(before):
        return  # they are at the places of those of the next instance, and are about to go
    if (missing := missing_volume(draft.pod, container, observed)) is not None:
        if observed.volumes_ready:
            draft.add(EnsureImage(pulls_for(container, missing), attempt, missing.name))
    elif observed.images.get(container.name) != attempt:
        draft.add(EnsureImage(container, attempt))
    elif asks_for_trees(container) and (held or not observed.connected):
        return  # between creation and start, trees hold the directories of other pods (agent/volumes/subpaths.py)
    elif sandbox is not None and observed.volumes_ready and (observed.address or not _needs_address(container)):
        draft.add(CreateContainer(container, attempt, sandbox.id, sandbox.attempt))


def _forget_old(draft: Draft, name: str) -> None:
    """Remove older instances. The last one that ended is kept: its log is the *previous* one."""
    *earlier, _newest = draft.observed.containers.get(name) or (None,)
    for instance in earlier:
        # Restarted by hand although it has a successor: a container must not run twice.
        if instance is not None and instance.running:
            draft.add(RemoveContainer(instance.id))
    ended = [instance for instance in earlier if instance is not None and instance.exited]
    keep = 0 if draft.observed.newest(name) in ended else 1
    for instance in ended[: len(ended) - keep]:
        draft.add(RemoveContainer(instance.id))


def _remove_unknown(draft: Draft) -> None:
    """Remove containers that are not in the pod's spec (any more)."""
    for name, instances in draft.observed.containers.items():
        if draft.pod.container(name) is None:
            for instance in instances:
                draft.add(RemoveContainer(instance.id))


def _needs_address(container: Container) -> bool:
    return any(variable.field_path.startswith("status.podIP") for variable in container.env)


# --- a pod that should end -----------------------------------------------------------------------------------------


def _wind_down(draft: Draft) -> None:
    """The pod has ended: keep its containers for their logs, remove sandbox and volumes, and free the address."""
    pod, observed, verdict = draft.pod, draft.observed, draft.memory.verdict
    if verdict is not None and not observed.verdict_kept:
        # First: an agent that is killed from now on must not run the pod again.
        draft.add(KeepVerdict(verdict))
    if not draft.stop_all(grace_s=grace_s_of(pod, draft.memory), why="the pod has ended"):
        return
    if pod.volumes and not observed.volumes_released:
        draft.add(ReleaseVolumes())
    if observed.attached is not None:
        draft.add(DetachNetwork())
    elif observed.sandboxes:
        for sandbox in observed.sandboxes:
            draft.add(RemoveContainer(sandbox.id))
    elif not observed.network_released:
        draft.add(ReleaseNetwork())
    for container in pod.containers:
        _forget_old(draft, container.name)


def _tear_down(draft: Draft) -> Plan:
    """Remove the containers, then the sandbox, then the address, then the files."""
    observed = draft.observed
    grace_s = grace_s_of(draft.pod, draft.memory)
    if is_creating(draft.memory) or not draft.stop_all(grace_s=grace_s, why="the pod is deleted"):
        return draft.plan()
    containers = observed.all_containers
    for instance in containers:
        draft.add(RemoveContainer(instance.id))
    if observed.attached is not None:
        draft.add(DetachNetwork())
    elif not containers:
        for sandbox in observed.sandboxes:
            draft.add(RemoveContainer(sandbox.id))
    if containers or observed.sandboxes or observed.attached is not None:
        return draft.plan()
    if not observed.network_released:
        draft.add(ReleaseNetwork())
    elif not observed.disk_clean:
        # Last: the directory shows a later agent that something of the pod may be left.
        draft.add(CleanDisk())
    gone = observed.network_released and observed.disk_clean and not draft.memory.busy
    return Plan(tuple(draft.actions), draft.wake_at, gone)


def is_creating(memory: Memory) -> bool:
    """An action that creates something to be removed is still in progress; pulls do not count."""
    return any(key.on in (On.SANDBOX, On.VOLUMES, On.CONTAINER) for key in memory.busy)
