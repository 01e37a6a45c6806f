"""One task a pod: asks the step function, has its actions done side by side, reports, and waits for news.

Owns a pod's view and memory, and the tasks of its actions. What is to be done is decided in step.py, done in
perform.py. Cancelled, it leaves everything as it is: containers go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agent.errors import AgentError
from agent.model import Desired, ObjectRef, Pod, PodPhase, PodUid
from agent.pods import backoff
from agent.pods.actions import NETWORK_KEY, Action, CreateContainer, EnsureImage, RemoveContainer, SignalContainer
from agent.pods.files import PodFiles
from agent.pods.lifecycle import failed_at, finished, restart_backoff
from agent.pods.memory import Memory
from agent.pods.observed import Observed
from agent.pods.perform import Means, Performer
from agent.pods.ports import Reporter
from agent.pods.refs import references
from agent.pods.status import is_crash_looping, pod_status
from agent.pods.step import is_creating, plan
from agent.pods.teller import Teller
from agent.pods.trouble import trouble_of
from agent.pods.view import PodView
from agent.runtime.errors import EngineGone
from agent.runtime.interface import ContainerId, ContainerRecord, EventKind, RuntimeEvent
from agent.statuses import PodStatus

_LOG = logging.getLogger(__name__)

_CLOCK_SET_S: Final = 1.0
"""A wall clock that moved by more than this beside the monotonic one was set, and not only slewed."""

_ENDED: Final = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})


class PodWorker:
    """Leads one pod to where it should be. `run` returns when nothing of the pod is left."""

    def __init__(self, means: Means, reporter: Reporter, pod: Pod, desired: Desired) -> None:
        self._means = means
        self._reporter = reporter
        self._clock = means.clock
        self._pod = pod
        self._desired = desired
        self._view = PodView()
        self._files = PodFiles(means.config, means.volumes.directory(pod.uid))
        self._teller = Teller(reporter, means.clock, pod)
        self._performer = Performer(means, self._view, self._files, self._teller, pod, desired)
        self._memory = Memory(started_at=self._clock.wall())
        self._wall_offset_s = self._clock.wall() - self._clock.monotonic()
        self._looked = False
        self._news = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: set[ContainerId] = set()
        self._words: dict[tuple[str, int], str] = {}
        self._paused = False
        self.status: PodStatus | None = None
        """The last status reported."""

    @property
    def pod(self) -> Pod:
        return self._pod

    @property
    def uid(self) -> PodUid:
        return self._pod.uid

    def observed(self) -> Observed:
        """What is there of the pod."""
        return self._view.observed()

    # --- news ------------------------------------------------------------------------------------------------------

    def update(self, pod: Pod, desired: Desired) -> None:
        """What the master wants now."""
        refs = references(pod)
        changed = pod != self._pod or _lookup(desired, refs) != _lookup(self._desired, refs)
        if pod.deleted and not self._pod.deleted:
            self._break_off_pulls()
        self._pod = self._performer.pod = pod
        self._desired = self._performer.desired = desired
        if changed:
            self._view.volumes_ready = False
            self._memory = self._memory.hurried()
            self._news.set()

    def observe(self, records: Iterable[ContainerRecord]) -> None:
        """All containers of the pod, as the engine has just listed them."""
        self._view.replace_all(records)
        self._paused = False
        self._memory = self._memory.hurried()
        self._news.set()

    def take(self, event: RuntimeEvent) -> bool:
        """An event of the engine about this pod; False when its container has to be looked up."""
        known = self._view.take(event)
        self._news.set()
        # What is just being made is put down by the action that makes it.
        return known or (event.kind is not EventKind.DIED and is_creating(self._memory))

    def found(self, record: ContainerRecord) -> None:
        """A container that was looked up."""
        self._view.put(record)
        self._news.set()

    def pause(self) -> None:
        """The engine is away: nothing is begun until it has listed its containers again."""
        self._paused = True

    # --- the task --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until nothing of the pod is left."""
        if self._view.started_at:
            self._memory = Memory(started_at=self._view.started_at)
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                now = self._now()
                self._notice_ends(now)
                step = plan(self._pod, self._view.observed(), self._memory, now)
                if step.gone:
                    return
                if not self._paused:
                    for action in step.actions:
                        self._begin(group, action)
                self._report()
                await self._wait(step.wake_at)

    def _now(self) -> float:
        """The wall clock's time. When it was set, what is remembered moves along: waits stay as long as they were."""
        now = self._clock.wall()
        set_by_s = now - self._clock.monotonic() - self._wall_offset_s
        if abs(set_by_s) > _CLOCK_SET_S:
            self._wall_offset_s += set_by_s
            self._memory = self._memory.clock_set(set_by_s)
        return now

    def _notice_ends(self, now: float) -> None:
        """Ends are dated here: the engine's dates are by the clock as it was then, and count at the first look only."""
        known = self._memory.ends
        ends = {
            each.id: known.get(each.id, now if self._looked else min(each.ended_at, now))
            for each in self._view.observed().all_containers
            if each.exited
        }
        self._looked = True
        if ends != known:
            self._memory = replace(self._memory, ends=ends)

    def _begin(self, group: asyncio.TaskGroup, action: Action) -> None:
        self._memory = self._memory.begun(action.key)
        name = f"pod {self._pod.ref} {type(action).__name__}"
        self._tasks[action.key] = group.create_task(self._do(action), name=name)

    async def _do(self, action: Action) -> None:
        """One action, from its beginning to what is remembered of it."""
        try:
            await self._performer.perform(action, started_at=self._memory.started_at)
        except asyncio.CancelledError:
            self._memory = self._memory.given_up(action.key)
            raise
        except EngineGone as error:
            # Nobody needs an event of each pod about it: the node tells.
            self._failed(action, error, silent=True)
        except (AgentError, OSError) as error:
            self._failed(action, error)
        except Exception as error:  # noqa: BLE001 - the boundary of a pod's actions; logged with its name
            # An error that nobody foresaw: shown, and tried again like our own.
            _LOG.exception("pod %s: %s failed", self._pod.ref, type(action).__name__)
            self._failed(action, error)
        else:
            self._succeeded(action)
        finally:
            self._tasks.pop(action.key, None)
            self._news.set()

    def _succeeded(self, action: Action) -> None:
        now = self._now()
        self._memory = self._memory.succeeded(action.key)
        match action:
            case SignalContainer():
                self._memory = self._memory.signalled(action.id, now, force=action.force)
            case CreateContainer() if action.attempt > 0:
                self._count_restart(action, now)
            case RemoveContainer():
                self._memory = self._memory.forgotten(action.id)
                self._words.clear()
            case _:
                pass

    def _count_restart(self, action: CreateContainer, now: float) -> None:
        """The next end of this container will have to wait."""
        ended = self._view.observed().last_ended(action.container.name)
        if ended is None:
            return
        before = restart_backoff(action.container, ended, self._memory)
        after = backoff.after_restart(before, failed_at=failed_at(ended, self._memory), now=now)
        self._memory = self._memory.restarted(action.container.name, after)

    def _failed(self, action: Action, error: Exception, *, silent: bool = False) -> None:
        trouble = trouble_of(action, error)
        first = action.key not in self._memory.retries
        if first or not silent:
            _LOG.warning("pod %s: %s: %s", self._pod.ref, type(action).__name__, error)
        self._memory = self._memory.failed(
            action.key, trouble.waiting, self._now(), first_s=trouble.first_s, longest_s=trouble.longest_s
        )
        if silent:
            return
        self._teller.warning(trouble.event, trouble.waiting.message, container=trouble.container)
        if isinstance(action, EnsureImage) and not first:
            name, image = action.container.name, action.container.image
            self._teller.normal("BackOff", f'Back-off pulling image "{image}"', container=name)

    async def _wait(self, wake_at: float | None) -> None:
        """Until there is news, or until then."""
        if wake_at is None:
            await self._news.wait()
            return
        alarm = asyncio.ensure_future(self._clock.sleep(max(0.0, wake_at - self._now())))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((alarm, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            news.cancel()

    def _break_off_pulls(self) -> None:
        """A deleted pod does not wait for its images."""
        for key, task in self._tasks.items():
            if key.startswith("image/"):
                task.cancel()

    # --- telling ---------------------------------------------------------------------------------------------------

    def _report(self) -> None:
        if not self._pod.name or not self._pod.containers:
            return  # found by its containers only: the master does not want its status
        now = self._now()
        observed = self._view.observed()
        if finished(self._pod, observed):
            self._memory = replace(self._memory, ended=True)
        status = pod_status(
            self._pod,
            observed,
            self._memory,
            now=now,
            host_ip=self._desired.host_ip,
            last_words=self._last_words,
            previous=self.status,
        )
        if (self._memory.ended or self._pod.ended_phase) and status.phase not in _ENDED:
            return  # containers that tell of the end are gone: what the master knows is the better word
        if self.status is None and self._is_adopting(observed):
            return  # without its address the pod would leave its services for a moment
        if status != self.status:
            self.status = status
            self._reporter.report(status)
        self._tell_crash_loops(observed, now)

    def _is_adopting(self, observed: Observed) -> bool:
        """Containers run that another agent has started, and the network has not yet said which address they have."""
        runs = any(each.running for each in observed.all_containers)
        return runs and not observed.address and NETWORK_KEY in self._memory.busy

    def _tell_crash_loops(self, observed: Observed, now: float) -> None:
        """Once for each end."""
        for container in (*self._pod.init_containers, *self._pod.containers):
            newest = observed.newest(container.name)
            if newest is None or newest.id in self._told:
                continue
            if not self._pod.deleted and is_crash_looping(self._pod, container, observed, self._memory, now):
                self._told = {each.id for each in observed.all_containers if each.id in self._told} | {newest.id}
                self._teller.warning("BackOff", "Back-off restarting failed container", container=container.name)

    def _last_words(self, container: str, attempt: int) -> str:
        key = (container, attempt)
        if key not in self._words:
            self._words[key] = self._files.last_words(container, attempt)
        return self._words[key]


def _lookup(desired: Desired, refs: tuple[tuple[bool, ObjectRef], ...]) -> list[object]:
    """What the pod refers to, as it is now."""
    found: list[object] = [(desired.secrets if secret else desired.config_maps).get(ref) for secret, ref in refs]
    return [*found, desired.secrets_known if any(secret for secret, _ in refs) else True]
