"""The next actions for a pod: a pure function of the desired, observed and remembered state, and of the time.

Owns the order of actions: sandbox and network, volumes, images, init containers one after the other, containers.
Independent actions are planned together. Does no I/O and remembers nothing; worker.py has the actions performed and
calls `plan` again after every change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from agent.model import Container, Pod, RestartPolicy
from agent.pods.actions import (
    SANDBOX_KEY,
    Action,
    AttachNetwork,
    CleanDisk,
    CreateContainer,
    CreateSandbox,
    DetachNetwork,
    EnsureImage,
    KeepVerdict,
    On,
    PrepareVolumes,
    ReadMessage,
    RefreshContainer,
    ReleaseNetwork,
    RemoveContainer,
    SignalContainer,
    StartContainer,
    StartSandbox,
)
from agent.pods.lifecycle import deadline, finished, is_over, next_init, succeeded
from agent.pods.memory import Memory, Signals
from agent.pods.observed import Instance, Observed
from agent.pods.roles import policy_of, sidecars
from agent.pods.stage import Stage, Standing, allowed, joined, standing_of

PULL_ERROR_SHOWN_S: Final = 2.0
"""A failed pull is shown as ErrImagePull for this long, then as ImagePullBackOff."""

_FORCE_AGAIN_S: Final = 10.0
_SIDECAR_GRACE_S: Final = 2.0
"""As in the kubelet, a sidecar gets this time even if the containers have used up the grace period."""
_SHORT_LIFE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions to start now, and when to plan again if nothing changes before (None: not needed)."""

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    gone: bool = False
    """Nothing of the pod is left, and nothing is left to do."""


def plan(pod: Pod, observed: Observed, memory: Memory, now: float) -> Plan:
    """The next actions of a pod."""
    draft = _Draft(pod, observed, memory, now)
    draft.refresh()
    if pod.deleted:
        return _tear_down(draft)
    if is_over(pod, memory) or finished(pod, observed):
        _wind_down(draft)
    else:
        if until := deadline(pod, memory):
            draft.wake(until)
        _advance(draft)
    return draft.plan()


@dataclass(slots=True)
class _Draft:
    """Builds a plan; `add` leaves out an action that is in progress or has to wait for its retry."""

    pod: Pod
    observed: Observed
    memory: Memory
    now: float
    actions: list[Action] = field(default_factory=list)
    wake_at: float | None = None

    def add(self, action: Action) -> None:
        taken = self.memory.busy | {planned.key for planned in self.actions}
        if action.key in taken:
            return
        retry = self.memory.retries.get(action.key)
        if retry is not None and retry.at > self.now:
            self.wake(retry.at)
            if self.now < retry.failed_at + PULL_ERROR_SHOWN_S:
                self.wake(retry.failed_at + PULL_ERROR_SHOWN_S)
            return
        self.actions.append(action)

    def wake(self, at: float) -> None:
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)

    def plan(self) -> Plan:
        return Plan(tuple(self.actions), self.wake_at)

    def refresh(self) -> None:
        """Ask for details that events did not contain. Nothing waits for the answers."""
        for instance in (*self.observed.all_containers, *self.observed.sandboxes):
            # The action that starts a sandbox inspects it itself.
            if not instance.exact and not (instance.running and SANDBOX_KEY in self.memory.busy):
                self.add(RefreshContainer(instance.id))
        for container in self.pod.all_containers:
            newest = self.observed.newest(container.name)
            if newest is None or not container.termination_message_from_log:
                continue
            failed = newest.exited and newest.exact and not succeeded(newest)
            if failed and newest.id not in self.observed.messages:
                self.add(ReadMessage(container.name, newest.attempt, newest.id))

    def stop(self, name: str, instance: Instance, *, grace_s: float, why: str, replaces: bool = False) -> None:
        """Stop a running container: first its stop signal, SIGKILL after the grace period in seconds."""
        signals = self.memory.signals.get(instance.id, Signals())
        if signals.forced_at:
            # It should be dead; its event may be lost: ask the engine, and send SIGKILL again.
            if self.now >= signals.forced_at + _FORCE_AGAIN_S:
                self.add(RefreshContainer(instance.id))
                self.add(SignalContainer(name, instance.id, True, why, replaces))
            self.wake(max(signals.forced_at, self.now) + _FORCE_AGAIN_S)
        elif not signals.asked_at and grace_s > 0:
            self.add(SignalContainer(name, instance.id, False, why, replaces))
        elif self.now >= signals.asked_at + grace_s:
            self.add(SignalContainer(name, instance.id, True, why, replaces))
        else:
            self.wake(signals.asked_at + grace_s)

    def stop_all(self, *, grace_s: float, why: str) -> bool:
        """Stop all containers, and then the sidecars in reverse order; True when none is running any more.

        All of them share the grace period, but each sidecar gets at least `_SIDECAR_GRACE_S` of it.
        """
        running = [
            (name, instance)
            for name, instances in self.observed.containers.items()
            for instance in instances
            if instance.running
        ]
        beside = [sidecar.name for sidecar in reversed(sidecars(self.pod))]
        groups = [
            [(name, instance) for name, instance in running if name not in beside],
            *([(name, instance) for name, instance in running if name == sidecar] for sidecar in beside),
        ]
        # Without a grace period, all at once.
        for name, instance in running if grace_s <= 0 else next(filter(None, groups), []):
            left_s = self._left_s(instance, grace_s) if name in beside else grace_s
            self.stop(name, instance, grace_s=left_s, why=why)
        return not running

    def _left_s(self, instance: Instance, grace_s: float) -> float:
        """What is left of the grace period for a sidecar that is stopped now or has been asked to stop."""
        own = self._asked_at(instance) or self.now
        # Those that were stopped for another reason before, to be replaced, do not count.
        newest = [instances[-1] for instances in self.observed.containers.values()]
        began = min(filter(None, (self._asked_at(each) for each in newest if not each.replaced)), default=own)
        return max(began + grace_s - own, min(_SIDECAR_GRACE_S, grace_s))

    def _asked_at(self, instance: Instance) -> float:
        """When the container got its stop signal; 0.0: not yet."""
        return self.memory.signals.get(instance.id, Signals()).asked_at


# --- a pod that should run -----------------------------------------------------------------------------------------


def _advance(draft: _Draft) -> None:
    _sandbox(draft)
    if not draft.observed.volumes_ready:
        draft.add(PrepareVolumes())
    if not _stop_stale(draft) and draft.pod.init_containers:
        return  # init containers run again, with no other container running
    for container in allowed(draft.pod, next_init(draft.pod, draft.observed)):
        _container(draft, container)
    _remove_unknown(draft)


def _sandbox(draft: _Draft) -> None:
    observed, sandbox = draft.observed, draft.observed.live_sandbox
    for old in observed.sandboxes[:-1]:
        draft.add(RemoveContainer(old.id))
    if sandbox is None:
        _new_sandbox(draft)
    elif not sandbox.running:
        draft.add(StartSandbox(sandbox.id))
    elif sandbox.attachable and observed.attached != sandbox.id:
        draft.add(AttachNetwork(sandbox.id, sandbox.record.pid))


def _stop_stale(draft: _Draft) -> bool:
    """Stop containers whose sandbox, and with it their network, is gone; True when none of them is running."""
    instances = draft.observed.all_containers
    stale = [instance for instance in instances if instance.running and not joined(draft.observed, instance)]
    for instance in stale:
        name = draft.observed.name_of(instance)
        # As in Kubernetes, what is never restarted ends with the sandbox.
        container = draft.pod.container(name)
        again = container is not None and policy_of(draft.pod, container) is not RestartPolicy.NEVER
        why = "the pod's sandbox has ended"
        draft.stop(name, instance, grace_s=draft.pod.grace_period_s, why=why, replaces=again)
    return not stale


def _new_sandbox(draft: _Draft) -> None:
    """At once, but with a pause if the last one ended early. The first may have ended with its host or engine."""
    dead = draft.observed.sandbox
    if dead is not None and dead.attempt > 0 and dead.ended_at - dead.record.started_at < _SHORT_LIFE_S:
        ready_at = dead.ended_at + _SHORT_LIFE_S
        if draft.now < ready_at <= draft.now + _SHORT_LIFE_S:
            draft.wake(ready_at)
            return
    draft.add(CreateSandbox(draft.observed.next_sandbox_attempt))


def _container(draft: _Draft, container: Container) -> None:
    """Plan for one container that may run now."""
    standing = standing_of(draft.pod, container, draft.observed, draft.memory, draft.now)
    _forget_old(draft, container.name)
    match standing:
        case Standing(Stage.ABSENT | Stage.RESTARTS):
            _create(draft, container)
        case Standing(Stage.CREATED, Instance() as instance) if _network_ready(draft):
            draft.add(StartContainer(container, instance.id))
        case Standing(Stage.STALE, Instance() as instance):
            _replace(draft, container, instance)
        case Standing(Stage.BACKS_OFF):
            draft.wake(standing.restart_at)
        case _:
            pass


def _replace(draft: _Draft, container: Container, instance: Instance) -> None:
    if not instance.running:
        draft.add(RemoveContainer(instance.id))
    elif joined(draft.observed, instance):
        why = "its definition changed"
        draft.stop(container.name, instance, grace_s=draft.pod.grace_period_s, why=why, replaces=True)


def _create(draft: _Draft, container: Container) -> None:
    observed, sandbox = draft.observed, draft.observed.live_sandbox
    attempt = observed.attempts.get(container.name, -1) + 1
    if observed.images.get(container.name) != attempt:
        draft.add(EnsureImage(container, attempt))
    elif sandbox is not None and observed.volumes_ready and (observed.address or not _needs_address(container)):
        draft.add(CreateContainer(container, attempt, sandbox.id, sandbox.attempt))


def _forget_old(draft: _Draft, name: str) -> None:
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


def _remove_unknown(draft: _Draft) -> None:
    """Remove containers that are not in the pod's spec (any more)."""
    for name, instances in draft.observed.containers.items():
        if draft.pod.container(name) is None:
            for instance in instances:
                draft.add(RemoveContainer(instance.id))


def _network_ready(draft: _Draft) -> bool:
    sandbox = draft.observed.live_sandbox
    return sandbox is not None and sandbox.running and draft.observed.attached == sandbox.id


def _needs_address(container: Container) -> bool:
    return any(variable.field_path.startswith("status.podIP") for variable in container.env)


# --- a pod that should end -----------------------------------------------------------------------------------------


def _wind_down(draft: _Draft) -> None:
    """The pod has ended: keep its containers for their logs, remove the sandbox and free the address."""
    pod, observed, verdict = draft.pod, draft.observed, draft.memory.verdict
    if verdict is not None and not observed.verdict_kept:
        # First: an agent that is killed from now on must not run the pod again.
        draft.add(KeepVerdict(verdict))
    if not draft.stop_all(grace_s=pod.grace_period_s, why="the pod has ended"):
        return
    if observed.attached is not None:
        draft.add(DetachNetwork())
    elif observed.sandboxes:
        for sandbox in observed.sandboxes:
            draft.add(RemoveContainer(sandbox.id))
    elif not observed.network_released:
        draft.add(ReleaseNetwork())
    for container in pod.containers:
        _forget_old(draft, container.name)


def _tear_down(draft: _Draft) -> Plan:
    """Remove the containers, then the sandbox, then the address, then the files."""
    observed = draft.observed
    if is_creating(draft.memory) or not draft.stop_all(grace_s=draft.pod.grace_period_s, why="the pod is deleted"):
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
