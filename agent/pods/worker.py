"""The worker of one pod: plans, has the actions performed concurrently, reports the status, and waits for a change.

Owns the pod's view and memory, and the tasks of its actions. step.py decides, perform.py acts. When cancelled, it
leaves everything as it is: containers keep running.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from agent.errors import AgentError
from agent.model import Desired, Pod, PodPhase, PodUid
from agent.pods import backoff
from agent.pods.actions import (
    Action,
    CreateContainer,
    EnsureImage,
    Key,
    On,
    PrepareVolumes,
    PreStop,
    ReadMessage,
    RemoveContainer,
    SignalContainer,
)
from agent.pods.admission import refusal
from agent.pods.change import Change
from agent.pods.context import WorkerContext
from agent.pods.events import EventRecorder
from agent.pods.failures import failure_of
from agent.pods.files import PodFiles
from agent.pods.interface import Reporter
from agent.pods.lifecycle import deadline, failed_at, finished, is_over, restart_backoff, rule_of, trigger
from agent.pods.memory import Memory
from agent.pods.observed import Observed
from agent.pods.perform import Performer
from agent.pods.probing import Probing
from agent.pods.reports import Reports
from agent.pods.stage import Stage, standing_of
from agent.pods.step import is_creating, plan
from agent.pods.verdict import DEADLINE_EXCEEDED, Verdict
from agent.pods.view import PodView
from agent.runtime.errors import EngineGone
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.statuses import PodStatus

_LOG = logging.getLogger(__name__)

_CLOCK_SET_S: Final = 1.0
"""A wall clock that differs from the monotonic clock by more than this was set, not only slewed."""


class PodWorker:
    """Brings one pod to its desired state. `run` returns when nothing of the pod is left."""

    def __init__(self, context: WorkerContext, reporter: Reporter, pod: Pod, desired: Desired) -> None:
        self._context = context
        self._clock = context.clock
        self._pod = pod
        self._desired = desired
        self._view = PodView()
        self._files = PodFiles(context.config, context.volumes.directory(pod.uid))
        self._events = EventRecorder(reporter, context.clock, pod)
        self._performer = Performer(context, self._view, self._files, self._events, pod, desired)
        self._memory = Memory(
            started_at=self._clock.wall(), longest_backoff_s=context.config.longest_container_backoff_s
        )
        self._wall_offset_s = self._clock.wall() - self._clock.monotonic()
        self._dated_ends = False
        self._wake = asyncio.Event()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._reports = Reports(context.runtime, reporter, self._files, self._events)
        self._keeper = self._performer.keeper
        self._probing = Probing(context.prober, context.clock, self._events, self._keeper, self._wake.set)
        self._paused = False

    @property
    def pod(self) -> Pod:
        return self._pod

    @property
    def uid(self) -> PodUid:
        return self._pod.uid

    @property
    def status(self) -> PodStatus | None:
        """The last status reported."""
        return self._reports.status

    def observed(self) -> Observed:
        """The observed state of the pod."""
        return self._view.observed()

    # --- input -----------------------------------------------------------------------------------------------------

    def update(self, pod: Pod, desired: Desired) -> None:
        """Take a new desired state."""
        change = Change(self._pod, self._desired, pod, desired)
        if pod.deleted and not self._pod.deleted:
            self._cancel_preparations()
        if pod.generation != self._pod.generation:
            self._wake.set()  # clients wait for a status of this generation
        if change.needs_action():
            self._view.volumes_ready, self._view.volumes_changed = False, True
            # The change cannot be a reason to pull the same image sooner.
            self._memory = self._memory.retried_now(waiting=change.same_pulls())
            self._wake.set()
        self._pod = self._performer.pod = self._events.pod = pod
        self._desired = self._performer.desired = desired

    def observe(self, records: Iterable[ContainerRecord]) -> None:
        """Take all containers of the pod, as the engine has just listed them."""
        self._view.replace_all(records)
        self._paused = False
        self._memory = self._memory.retried_now()
        self._wake.set()

    def take(self, event: RuntimeEvent) -> bool:
        """Take an event about this pod; False when its container is unknown and has to be inspected."""
        known = self._view.take(event)
        self._wake.set()
        # A container that is just being created is recorded by the action that creates it.
        return known or (event.kind is not EventKind.DIED and is_creating(self._memory))

    def compare(self, listed: Mapping[ContainerId, ContainerPhase]) -> frozenset[ContainerId]:
        """Compare with the engine's list of the pod's containers; returns those that have to be inspected."""
        unknown = self._view.compare(listed)
        self._wake.set()
        return frozenset() if is_creating(self._memory) else unknown

    def observe_one(self, record: ContainerRecord) -> None:
        """Take a container that was inspected."""
        self._view.put(record)
        self._wake.set()

    def pause(self) -> None:
        """The engine is away: start no action until `observe` is called again."""
        self._paused = True

    @property
    def ended(self) -> bool:
        """Whether the pod has ended and that is reported: no later agent runs it again."""
        status = self._reports.status
        kept = self._memory.verdict is None or self._view.verdict_kept
        return kept and status is not None and status.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)

    def end(self, verdict: Verdict, *, event: bool = True) -> None:
        """The pod has to end, unless it has ended already. `event`: report that as an event too."""
        if self._is_over():
            return
        _LOG.warning("pod %s: %s: %s", self._pod.ref, verdict.reason, verdict.message)
        self._memory = replace(self._memory, verdict=verdict)
        if event:
            self._events.warning(verdict.reason, verdict.message)
        self._wake.set()

    def _is_over(self) -> bool:
        return is_over(self._pod, self._memory) or finished(self._pod, self._view.observed())

    # --- the task --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until nothing of the pod is left."""
        kept = self._files.verdict()
        self._view.verdict_kept = kept is not None
        started_at = self._view.started_at or self._memory.started_at
        self._memory = Memory(started_at, verdict=kept, longest_backoff_s=self._memory.longest_backoff_s)
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                now = self._now()
                self._record_ends(now)
                self._keeper.settle(self._pod)
                self._cancel_hooks()
                self._judge(now)
                self._keep_after_all(now)
                self._admit()
                step = plan(self._pod, self._view.observed(), self._memory, now)
                if step.gone:
                    return
                if not self._paused:
                    for action in step.actions:
                        self._start(group, action)
                    self._probing.sync(self._pod, self._view.observed(), self._memory, now, group)
                report_at = self._report()
                await self._wait(min(filter(None, (step.wake_at, report_at)), default=None))

    def _now(self) -> float:
        """The wall clock's time. If the clock was set, shift the remembered times, so that waits keep their length.

        This changes the memory, so call it before the memory is read.
        """
        now = self._clock.wall()
        set_by_s = now - self._clock.monotonic() - self._wall_offset_s
        if abs(set_by_s) > _CLOCK_SET_S:
            self._wall_offset_s += set_by_s
            self._memory = self._memory.clock_set(set_by_s)
        return now

    def _keep_after_all(self, now: float) -> None:
        """Forget that containers were asked to stop for an edit that has been taken back: they run on."""
        pod, observed = self._pod, self._view.observed()
        if is_over(pod, self._memory) or trigger(pod, observed) is not None:
            return
        for container in pod.all_containers:
            standing = standing_of(pod, container, observed, self._memory, now)
            instance = standing.instance
            if standing.stage is Stage.RUNNING and instance is not None and instance.id in self._memory.signals:
                self._files.unmark_replaced(container.name, instance.id)
                self._memory = self._memory.spared(instance.id)

    def _judge(self, now: float) -> None:
        """Decide whether the pod has ended by its deadline, unless it has ended before."""
        pod, memory = self._pod, self._memory
        if not self._is_over() and 0 < deadline(pod, memory) <= now:
            self._memory = replace(memory, verdict=DEADLINE_EXCEEDED)

    def _admit(self) -> None:
        """Decide whether the node runs the pod, until it has a container of it."""
        begun = self._pod.ended_phase is not None or self._view.observed().attempts
        if begun or self._memory.verdict is not None:
            return
        before = self._memory.refusal
        if before is not None and before.final:
            return
        context = self._context
        present = refusal(self._pod, context.config.security) or context.room.refusal(self._pod.uid, self._desired)
        self._memory = replace(self._memory, refusal=present)
        if present is not None and present != before and not self._pod.deleted:
            _LOG.warning("pod %s: refused: %s", self._pod.ref, present.message)
            self._events.warning(present.reason, present.message)

    def _record_ends(self, now: float) -> None:
        """Record when containers ended, and whether they are replaced. The engine's times may be by an older setting of
        the clock: only the first call uses them."""
        known = self._memory.ends
        for name, instances in self._view.observed().containers.items():
            for instance in instances:
                new = instance.exited and instance.id not in known
                if new and self._files.is_replaced(name, instance.id):
                    self._view.mark_replaced(instance.id)
        ends = {
            instance.id: known.get(instance.id, now if self._dated_ends else min(instance.ended_at, now))
            for instance in self._view.observed().all_containers
            if instance.exited
        }
        self._dated_ends = True
        if ends != known:
            self._memory = replace(self._memory, ends=ends)

    def _start(self, group: asyncio.TaskGroup, action: Action) -> None:
        self._memory = self._memory.begun(action.key)
        if isinstance(action, PreStop):
            now = self._now()
            self._memory = self._memory.stopping(action.id, now)
        name = f"pod {self._pod.ref} {type(action).__name__}"
        self._tasks[action.key] = group.create_task(self._perform(action), name=name)

    async def _perform(self, action: Action) -> None:
        """Perform one action and remember its result."""
        try:
            await self._performer.perform(action, started_at=self._memory.started_at)
        except asyncio.CancelledError:
            self._memory = self._memory.cancelled(action.key)
            raise
        except EngineGone as error:
            # No event: the node reports it, not every pod.
            self._failed(action, error, silent=True)
        except (AgentError, OSError) as error:
            self._failed(action, error)
        except Exception as error:  # noqa: BLE001 - the boundary of a pod's actions; logged with its name
            # An unexpected error is shown and retried like the expected ones.
            _LOG.exception("pod %s: %s failed", self._pod.ref, type(action).__name__)
            self._failed(action, error)
        else:
            self._succeeded(action)
        finally:
            self._tasks.pop(action.key, None)
            self._wake.set()

    def _succeeded(self, action: Action) -> None:
        now = self._now()
        self._memory = self._memory.succeeded(action.key)
        match action:
            case PrepareVolumes():
                left_s = self._performer.tokens.renew_in_s
                self._memory = replace(self._memory, volumes_until=0.0 if left_s is None else now + left_s)
            case SignalContainer():
                self._memory = self._memory.signalled(action.id, now, force=action.force)
            case CreateContainer() if action.attempt > 0:
                self._count_restart(action, now)
            case ReadMessage():
                self._reports.forget_messages()
            case RemoveContainer():
                self._memory = self._memory.forgotten(action.id)
                self._reports.forget_messages()
            case _:
                pass

    def _count_restart(self, action: CreateContainer, now: float) -> None:
        """Increase the back-off for the container's next end."""
        ended = self._view.observed().last_ended(action.container.name)
        if ended is None or (ended.replaced and rule_of(action.container, ended) is None):
            return
        before = restart_backoff(action.container, ended, self._memory)
        after = backoff.after_restart(
            before, failed_at=failed_at(ended, self._memory), now=now, longest_s=self._memory.longest_backoff_s
        )
        self._memory = self._memory.restarted(action.container.name, after)

    def _failed(self, action: Action, error: Exception, *, silent: bool = False) -> None:
        now = self._now()
        failure = failure_of(action, error)
        first = action.key not in self._memory.retries
        if first or not silent:
            _LOG.warning("pod %s: %s: %s", self._pod.ref, type(action).__name__, error)
        self._memory = self._memory.failed(
            action.key, failure.waiting, now, first_s=failure.first_s, longest_s=failure.longest_s
        )
        if silent:
            return
        self._events.warning(failure.event, failure.text or failure.waiting.message, container=failure.container)
        if isinstance(action, EnsureImage):
            self._events.warning("Failed", f"Error: {failure.waiting.reason}", container=failure.container)

    async def _wait(self, wake_at: float | None) -> None:
        """Wait for a change, or until `wake_at`."""
        if wake_at is None:
            await self._wake.wait()
            return
        timer = asyncio.ensure_future(self._clock.sleep(max(0.0, wake_at - self._now())))
        change = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((timer, change), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            change.cancel()

    def _cancel_preparations(self) -> None:
        """Cancel pulls and the preparation of volumes: a deleted pod does not need them, and they may hang."""
        for key, task in self._tasks.items():
            if key.on in (On.IMAGE, On.VOLUMES):
                task.cancel()

    def _cancel_hooks(self) -> None:
        """Cancel hooks of instances that have ended, and those that their containers' stop has overtaken."""
        running = {instance.id for instance in self._view.observed().all_containers if instance.running}
        for key, task in self._tasks.items():
            signals = self._memory.signals_of(ContainerId(key.name))
            overtaken = signals.began_at if key.on is On.POST_START else signals.asked_at or signals.forced_at
            if key.on in (On.POST_START, On.PRE_STOP) and (key.name not in running or overtaken):
                task.cancel()

    # --- reports ---------------------------------------------------------------------------------------------------

    def _report(self) -> float:
        """Report the status if it is time to; otherwise returns when that is."""
        if not self._pod.name or not self._pod.containers:
            return 0.0  # known by its containers only: the master does not expect its status
        now = self._now()
        observed = self._view.observed()
        if finished(self._pod, observed):
            self._memory = replace(self._memory, ended=True)
        self._memory = self._reports.announce_pulls(self._pod, observed, self._memory, now)
        return self._reports.report(self._pod, observed, self._memory, now=now, host_ip=self._desired.host_ip)
