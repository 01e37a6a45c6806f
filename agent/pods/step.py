"""What to do next for a pod: a pure function of what is desired, observed and remembered, and of the time.

Owns the order of things: sandbox and network, volumes, images, init containers in turn, containers;
everything that does not depend on each other at once. Does no I/O and remembers nothing; worker.py does what this
file says, and asks again after every change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from agent.model import Container, Pod
from agent.pods.actions import (
    SANDBOX_KEY,
    Action,
    AttachNetwork,
    CleanDisk,
    CreateContainer,
    CreateSandbox,
    DetachNetwork,
    EnsureImage,
    PrepareVolumes,
    RefreshContainer,
    ReleaseNetwork,
    RemoveContainer,
    SignalContainer,
    StartContainer,
    StartSandbox,
)
from agent.pods.lifecycle import deadline, ended_for_good, finished, next_init, restart_wait_s
from agent.pods.memory import Memory, Signals
from agent.pods.names import is_outdated
from agent.pods.observed import Instance, Observed
from agent.runtime.interface import ContainerPhase

PULL_ERROR_SHOWN_S: Final = 2.0
"""A failed pull shows its error this long, and that it backs off from then on."""

_FORCE_AGAIN_S: Final = 10.0
_SHORT_LIFE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions to begin now, and when to look again if nothing happens before (None: no need)."""

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    gone: bool = False
    """Nothing of the pod is left, and nothing more is to be done."""


def plan(pod: Pod, observed: Observed, memory: Memory, now: float) -> Plan:
    """The next steps of a pod."""
    draft = _Draft(pod, observed, memory, now)
    draft.refresh()
    if pod.deleted:
        return _tear_down(draft)
    until = deadline(pod, memory)
    overdue = 0 < until <= now
    if overdue or memory.ended or pod.ended_phase is not None or finished(pod, observed):
        _wind_down(draft)
    else:
        if until:
            draft.wake(until)
        _advance(draft)
    return draft.plan()


@dataclass(slots=True)
class _Draft:
    """A plan in the making; an action that is under way or has to wait is left out by itself."""

    pod: Pod
    observed: Observed
    memory: Memory
    now: float
    actions: list[Action] = field(default_factory=list)
    wake_at: float | None = None

    def add(self, action: Action) -> None:
        taken = self.memory.busy | {each.key for each in self.actions}
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
        """Asks for what events did not say; nothing waits for it."""
        for each in (*self.observed.all_containers, *self.observed.sandboxes):
            # One that we are just starting is looked at by that action itself.
            if not each.exact and not (each.running and SANDBOX_KEY in self.memory.busy):
                self.add(RefreshContainer(each.id))

    def stop(self, name: str, instance: Instance, *, grace_s: float, why: str) -> None:
        """Ends a running container: asked first, made to after the grace period."""
        signals = self.memory.signals.get(instance.id, Signals())
        if signals.forced_at:
            # A death that nobody told of: look, and insist.
            if self.now >= signals.forced_at + _FORCE_AGAIN_S:
                self.add(RefreshContainer(instance.id))
                self.add(SignalContainer(name, instance.id, True, why))
            self.wake(max(signals.forced_at, self.now) + _FORCE_AGAIN_S)
        elif not signals.asked_at and grace_s > 0:
            self.add(SignalContainer(name, instance.id, False, why))
        elif self.now >= signals.asked_at + grace_s:
            self.add(SignalContainer(name, instance.id, True, why))
        else:
            self.wake(signals.asked_at + grace_s)

    def stop_all(self, *, grace_s: float, why: str) -> bool:
        """Ends all containers; True when none runs any more."""
        running = [
            (name, each) for name, instances in self.observed.containers.items() for each in instances if each.running
        ]
        for name, each in running:
            self.stop(name, each, grace_s=grace_s, why=why)
        return not running


# --- towards running -----------------------------------------------------------------------------------------------


def _advance(draft: _Draft) -> None:
    _sandbox(draft)
    if not draft.observed.volumes_ready:
        draft.add(PrepareVolumes())
    if not _stop_stale(draft) and draft.pod.init_containers:
        return  # init containers run again, and nothing runs beside them
    init = next_init(draft.pod, draft.observed)
    if init is None:
        for container in draft.pod.containers:
            _container(draft, container)
    else:
        _container(draft, init)
    _strangers(draft)


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
    """Ends containers whose sandbox is gone, and with it their network; True when none is left running."""
    stale = [each for each in draft.observed.all_containers if each.running and not _belongs(draft, each)]
    for each in stale:
        name = draft.observed.name_of(each)
        draft.stop(name, each, grace_s=draft.pod.grace_period_s, why="the pod's sandbox has ended")
    return not stale


def _new_sandbox(draft: _Draft) -> None:
    """At once, unless they end as soon as they have started. The first one may have gone with its host or engine."""
    dead = draft.observed.sandbox
    if dead is not None and dead.attempt > 0 and dead.ended_at - dead.record.started_at < _SHORT_LIFE_S:
        ready_at = dead.ended_at + _SHORT_LIFE_S
        if draft.now < ready_at <= draft.now + _SHORT_LIFE_S:
            draft.wake(ready_at)
            return
    draft.add(CreateSandbox(draft.observed.next_sandbox_attempt))


def _container(draft: _Draft, container: Container) -> None:
    """One container that may run now."""
    instance = draft.observed.newest(container.name)
    _forget_old(draft, container.name)
    if instance is None:
        _make(draft, container)
    elif instance.exited:
        _restart(draft, container, instance)
    elif not _belongs(draft, instance):
        if not instance.running:
            draft.add(RemoveContainer(instance.id))
    elif is_outdated(instance.record.labels, container):
        if instance.running:
            draft.stop(container.name, instance, grace_s=draft.pod.grace_period_s, why="its definition changed")
        else:
            draft.add(RemoveContainer(instance.id))
    elif instance.record.phase is ContainerPhase.CREATED and _wired(draft):
        draft.add(StartContainer(container, instance.id))


def _restart(draft: _Draft, container: Container, ended: Instance) -> None:
    rerun = container in draft.pod.init_containers and not _belongs(draft, ended)
    if not rerun and ended_for_good(draft.pod, container, ended):
        return
    wait = restart_wait_s(container, ended, draft.memory, draft.now)
    if wait > 0:
        draft.wake(draft.now + wait)
    else:
        _make(draft, container)


def _make(draft: _Draft, container: Container) -> None:
    observed, sandbox = draft.observed, draft.observed.live_sandbox
    attempt = observed.attempts.get(container.name, -1) + 1
    if observed.images.get(container.name) != attempt:
        draft.add(EnsureImage(container, attempt))
    elif sandbox is not None and observed.volumes_ready and (observed.address or not _needs_address(container)):
        draft.add(CreateContainer(container, attempt, sandbox.id, sandbox.attempt))


def _forget_old(draft: _Draft, name: str) -> None:
    """Of those that ended before the newest one, the last is kept (its log is the *previous* one)."""
    *earlier, _newest = draft.observed.containers.get(name) or (None,)
    for each in earlier:
        # Started again by hand after its successor was made: a container never runs twice.
        if each is not None and each.running:
            draft.add(RemoveContainer(each.id))
    ended = [each for each in earlier if each is not None and each.exited]
    keep = 0 if draft.observed.newest(name) in ended else 1
    for each in ended[: len(ended) - keep]:
        draft.add(RemoveContainer(each.id))


def _strangers(draft: _Draft) -> None:
    """Containers that the pod does not have (any more)."""
    for name, instances in draft.observed.containers.items():
        if draft.pod.container(name) is None:
            for each in instances:
                draft.add(RemoveContainer(each.id))


def _belongs(draft: _Draft, instance: Instance) -> bool:
    sandbox = draft.observed.live_sandbox
    return sandbox is not None and sandbox.attempt == instance.sandbox


def _wired(draft: _Draft) -> bool:
    sandbox = draft.observed.live_sandbox
    return sandbox is not None and sandbox.running and draft.observed.attached == sandbox.id


def _needs_address(container: Container) -> bool:
    return any(each.field_path.startswith("status.podIP") for each in container.env)


# --- towards nothing -----------------------------------------------------------------------------------------------


def _wind_down(draft: _Draft) -> None:
    """The pod has ended: what ended stays to be read, the sandbox and the address go."""
    pod, observed = draft.pod, draft.observed
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
    """Containers first, sandbox last, then the address, then the disk."""
    observed = draft.observed
    if is_creating(draft.memory) or not draft.stop_all(grace_s=draft.pod.grace_period_s, why="the pod is deleted"):
        return draft.plan()
    containers = observed.all_containers
    for each in containers:
        draft.add(RemoveContainer(each.id))
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
        # Last: by its directory the next agent knows of a pod that the master has forgotten.
        draft.add(CleanDisk())
    gone = observed.network_released and observed.disk_clean and not draft.memory.busy
    return Plan(tuple(draft.actions), draft.wake_at, gone)


def is_creating(memory: Memory) -> bool:
    """Something that makes what we are about to remove is still under way; a pull is not waited for."""
    return any(key in (SANDBOX_KEY, "volumes") or key.startswith("container/") for key in memory.busy)
