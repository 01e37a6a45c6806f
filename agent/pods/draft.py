"""Builds the plan of a pod: which actions can start now, when to plan again, and how containers are stopped.

Owns the order of a stop (preStop hook, stop signal, SIGKILL) and the grace period that bounds it. step.py decides what
has to happen. Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from agent.model import Pod
from agent.pods.actions import (
    SANDBOX_KEY,
    Action,
    PreStop,
    ReadMessage,
    ReadUser,
    RefreshContainer,
    ReleaseTrees,
    SignalContainer,
)
from agent.pods.lifecycle import succeeded
from agent.pods.memory import Memory
from agent.pods.observed import Instance, Observed
from agent.pods.roles import sidecars

_FORCE_AGAIN_S: Final = 10.0
_LEAST_GRACE_S: Final = 2.0
"""As in the kubelet, a container has this time after its stop signal, even if its preStop hook or, for a sidecar, the
other containers have used up the grace period."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions to start now, and when to plan again if nothing changes before (None: not needed)."""

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    gone: bool = False
    """Nothing of the pod is left, and nothing is left to do."""


@dataclass(slots=True)
class Draft:
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
            if self.now < retry.backs_off_at:
                self.wake(retry.backs_off_at)
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
            if newest is not None and (newest.running or newest.exited):
                self._after_start(container.name, newest)
            if newest is None or not container.termination_message_from_log:
                continue
            failed = newest.exited and newest.exact and not succeeded(newest)
            if failed and newest.id not in self.observed.messages:
                self.add(ReadMessage(container.name, newest.attempt, newest.id))

    def _after_start(self, name: str, instance: Instance) -> None:
        if instance.id not in self.observed.users:
            self.add(ReadUser(name, instance.id))
        if self.observed.has_trees(instance):
            self.add(ReleaseTrees(name, instance.id))

    def stop(
        self,
        name: str,
        instance: Instance,
        *,
        grace_s: float,
        message: str,
        replaces: bool = False,
        began_at: float = 0.0,
    ) -> None:
        """Stop a running container: its preStop hook, its stop signal, and SIGKILL after the grace period in seconds.

        `began_at`: when the period began, if that was not with this container.
        """
        signals = self.memory.signals_of(instance.id)
        force = SignalContainer(name, instance.id, True, message, replaces)
        began_at = began_at or signals.began_at
        if signals.forced_at:
            # It should be dead; its event may be lost: ask the engine, and send SIGKILL again.
            if self.now >= signals.forced_at + _FORCE_AGAIN_S:
                self.add(RefreshContainer(instance.id))
                self.add(force)
            self.wake(max(signals.forced_at, self.now) + _FORCE_AGAIN_S)
        elif grace_s <= 0:
            self.add(force)
        elif signals.asked_at:
            ends_at = max(began_at + grace_s, signals.asked_at + min(_LEAST_GRACE_S, grace_s))
            if self.now >= ends_at:
                self.add(force)
            else:
                self.wake(ends_at)
        elif not self.hook(name, instance, grace_s=grace_s, message=message, replaces=replaces):
            said = "" if signals.hooked_at else message
            container = self.pod.container(name)
            signal = container.checks.stop_signal if container is not None else ""
            self.add(SignalContainer(name, instance.id, False, said, replaces, signal))

    def hook(self, name: str, instance: Instance, *, grace_s: float, message: str, replaces: bool = False) -> bool:
        """Run the container's preStop hook, if it has one; True: its stop signal has to wait for that."""
        container = self.pod.container(name)
        hooked_at = self.memory.signals_of(instance.id).hooked_at
        if container is None or container.checks.pre_stop is None or self.observed.health_of(instance.id).pre_stopped:
            return False
        if not hooked_at:
            self.add(PreStop(container, instance.id, message, replaces))
            self.wake(self.now + grace_s)
            return True
        if self.now < hooked_at + grace_s:
            self.wake(hooked_at + grace_s)
            return True
        return False

    def stop_all(self, *, grace_s: float, why: str) -> bool:
        """Stop all containers, and then the sidecars in reverse order; True when none is running any more.

        All of them share the grace period, but each sidecar gets at least `_LEAST_GRACE_S` of it. As in Kubernetes, the
        preStop hooks of all of them begin at once.
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
        turn = running if grace_s <= 0 else next(filter(None, groups), [])
        for name, instance in running:
            message = f"Stopping container {name}: {why}"
            if (name, instance) in turn:
                began_at = self._began_at(instance) if name in beside else 0.0
                self.stop(name, instance, grace_s=grace_s, message=message, began_at=began_at)
            else:
                self.hook(name, instance, grace_s=grace_s, message=message)
        return not running

    def _began_at(self, sidecar: Instance) -> float:
        """When the grace period of the pod began, for a sidecar that is stopped now or has been asked to stop."""
        # Those that were stopped for another reason before, to be replaced, do not count.
        newest = [instances[-1] for instances in self.observed.containers.values()]
        others = (self.memory.signals_of(each.id).began_at for each in newest if not each.replaced)
        return min(filter(None, others), default=self.memory.signals_of(sidecar.id).began_at)
