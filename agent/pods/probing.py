"""The probes of one pod: one task for each probe of each instance that runs.

Owns the tasks, and the events about results. A result that changes the health of an instance is kept (keeper.py) and
wakes the pod's worker; all others cost the worker nothing.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from agent.clock import Clock
from agent.handlers import Probe, ProbeKind
from agent.model import Pod
from agent.pods.events import EventRecorder, Limit
from agent.pods.health import Fault
from agent.pods.keeper import HealthKeeper
from agent.pods.lifecycle import is_over
from agent.pods.memory import Memory
from agent.pods.observed import Instance, Observed
from agent.pods.stage import Stage, standing_of
from agent.probes.interface import Prober, Result, ResultKind, Target
from agent.probes.runner import run_probe
from agent.runtime.records import ContainerId

_FAULTS: Final = {ProbeKind.STARTUP: Fault.STARTUP, ProbeKind.LIVENESS: Fault.LIVENESS}
_STAGES: Final = frozenset({Stage.RUNNING, Stage.STALE, Stage.UNHEALTHY})


class Key(NamedTuple):
    """A probe of an instance."""

    container: str
    instance: ContainerId
    kind: ProbeKind


class Probing:
    """Runs the probes of one pod. `changed` is called when the health of an instance has changed."""

    def __init__(
        self, prober: Prober, clock: Clock, events: EventRecorder, keeper: HealthKeeper, changed: Callable[[], None]
    ) -> None:
        self._prober = prober
        self._clock = clock
        self._events = events
        self._keeper = keeper
        self._changed = changed
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._limit = Limit(clock)
        self._synced = False

    def sync(self, pod: Pod, observed: Observed, memory: Memory, now: float, group: asyncio.TaskGroup) -> None:
        """Start the probes that should run now, and end all others."""
        wanted = dict(_wanted(pod, observed, memory, now))
        for key in self._tasks.keys() - wanted.keys():
            self._tasks.pop(key).cancel()
        for key, (probe, instance) in wanted.items():
            if key not in self._tasks:
                target = Target(instance.id, observed.address)
                work = self._run(key, probe, target, self._delay_s(key, probe, instance, now))
                self._tasks[key] = group.create_task(work, name=f"pod {pod.ref} {key.kind} probe {key.container}")
        # A pod without an address has none of its probes yet.
        self._synced = self._synced or bool(observed.address)

    def _delay_s(self, key: Key, probe: Probe, instance: Instance, now: float) -> float:
        """Seconds until the first probe."""
        due_s = instance.record.started_at + probe.initial_delay_s - now
        # Not longer than the delay, even if the clock was set.
        delay_s = min(max(0.0, due_s), float(probe.initial_delay_s))
        if not self._synced:
            # Instances of an earlier agent: their probes must not all begin in the same moment.
            delay_s = max(delay_s, probe.period_s * (zlib.crc32(repr(key).encode()) % 1000) / 1000)
        return delay_s

    async def _run(self, key: Key, probe: Probe, target: Target, delay_s: float) -> None:
        await run_probe(
            probe,
            target,
            self._prober,
            self._clock,
            delay_s=delay_s,
            decided=lambda passed: self._decided(key, passed=passed),
            troubled=lambda result: self._report(key, result),
        )

    def _decided(self, key: Key, *, passed: bool) -> bool:
        """Keep the state by a probe; True: the probe is done."""
        name, instance, kind = key
        fault = _FAULTS.get(kind)
        if fault is None:
            changed = self._keeper.readiness(name, instance, ready=passed)
        elif not passed:
            changed = self._keeper.faulty(name, instance, fault)
        else:
            changed = kind is ProbeKind.STARTUP and self._keeper.started(name, instance)
        if changed:
            self._changed()
        return kind is ProbeKind.STARTUP or (kind is ProbeKind.LIVENESS and not passed)

    def _report(self, key: Key, result: Result) -> None:
        if not self._limit.allows():
            return
        what = f"{key.kind.capitalize()} probe"
        match result.kind:
            case ResultKind.WARNING:
                self._events.warning("ProbeWarning", f"{what} warning: {result.output}", container=key.container)
            case ResultKind.ERROR:
                text = f"{what} errored and resulted in unknown state: {result.output}"
                self._events.warning("Unhealthy", text, container=key.container)
            case _:
                self._events.warning("Unhealthy", f"{what} failed: {result.output}", container=key.container)


def _wanted(pod: Pod, observed: Observed, memory: Memory, now: float) -> Iterator[tuple[Key, tuple[Probe, Instance]]]:
    """The probes that should run now.

    A startup probe holds back the others. A container that is being stopped has only its readiness probed, as in
    Kubernetes.
    """
    if not observed.address:
        return
    over = is_over(pod, memory)
    for container in pod.all_containers:
        if not container.checks.any:
            continue
        standing = standing_of(pod, container, observed, memory, now)
        instance = standing.instance
        if standing.stage not in _STAGES or instance is None or not instance.running:
            continue
        ends = over or standing.stage is not Stage.RUNNING
        kinds = [ProbeKind.READINESS] if ends else [ProbeKind.LIVENESS, ProbeKind.READINESS]
        if not observed.health_of(instance.id).started:
            kinds = [] if ends else [ProbeKind.STARTUP]
        for kind in kinds:
            if (probe := container.checks.probe(kind)) is not None:
                yield Key(container.name, instance.id, kind), (probe, instance)
