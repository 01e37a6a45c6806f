"""The reports of one pod: which statuses the master gets, and the events of containers and pulls that back off.

Owns the last status. A status that knows less than the master does is not reported. A status that only shows that the
pod is being started waits a little: most pods run soon, and a report costs the node and the master as much as a step.
"""

from __future__ import annotations

from typing import Final

from agent.model import Pod, PodPhase
from agent.pods.actions import NETWORK_KEY, On
from agent.pods.events import EventRecorder
from agent.pods.files import PodFiles
from agent.pods.interface import Reporter
from agent.pods.memory import Memory
from agent.pods.observed import Observed
from agent.pods.stage import Stage, standing_of
from agent.pods.status import pod_status
from agent.pods.volumeimages import image_due
from agent.runtime.interface import Runtime
from agent.runtime.records import ContainerId
from agent.statuses import PodStatus, Waiting

PROGRESS_S: Final = 0.2
"""How long a status waits that only shows progress."""

_STARTING: Final = frozenset({Waiting("ContainerCreating"), Waiting("PodInitializing")})
_ENDED: Final = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})


class Reports:
    """Reports the pod of one worker."""

    def __init__(self, runtime: Runtime, reporter: Reporter, files: PodFiles, events: EventRecorder) -> None:
        self._runtime = runtime
        self._reporter = reporter
        self._files = files
        self._events = events
        self._reported_ends: set[ContainerId] = set()
        self._messages: dict[tuple[str, int], str] = {}
        self.status: PodStatus | None = None
        """The last status reported."""
        self._present: PodStatus | None = None
        self._held_since = 0.0
        """When the first change occurred that has not been reported; 0.0: there is none."""

    def report(self, pod: Pod, observed: Observed, memory: Memory, *, now: float, host_ip: str) -> float:
        """Report the present status if it differs from the last one and can be relied on.

        Returns when to call this again, as it only shows progress; 0.0: after the next change.
        """
        status = pod_status(
            pod,
            observed,
            memory,
            now=now,
            host_ip=host_ip,
            engine=self._runtime.name,
            message_of=self._message_of,
            previous=self._present,
        )
        if (memory.ended or pod.ended_phase) and status.phase not in _ENDED and not observed.running:
            return 0.0  # the containers that show how it ended are gone: the master has the better status
        if self.status is None and observed.running and not observed.address and NETWORK_KEY in memory.busy:
            # Containers of an earlier agent. A status without the address would remove the pod from its services.
            return 0.0
        if pod.deleted and self._has_lost_some(pod, observed):
            return 0.0  # containers have been removed: the last status still says how they ended
        self._report_crash_loops(pod, observed, memory, now)
        self._present = status
        if status == self.status:
            self._held_since = 0.0
            return 0.0
        if (_shows_progress(status) or _learns_users(memory)) and not pod.deleted:
            self._held_since = self._held_since or now
            if self._held_since <= now < self._held_since + PROGRESS_S:
                return self._held_since + PROGRESS_S
        self._held_since = 0.0
        self.status = status
        self._reporter.report(status)
        return 0.0

    def announce_pulls(self, pod: Pod, observed: Observed, memory: Memory, now: float) -> Memory:
        """Report each pull that waits for its next try now, as soon as its state shows that. Returns the new memory."""
        for key, retry in memory.retries.items():
            container = pod.container(key.name) if key.on is On.IMAGE and key not in memory.busy else None
            if container is not None and retry.backs_off(now) and not retry.announced:
                image = image_due(pod, container, observed)
                self._events.normal("BackOff", f'Back-off pulling image "{image}"', container=container.name)
                self._events.warning("Failed", "Error: ImagePullBackOff", container=container.name)
                memory = memory.announced(key)
        return memory

    def forget_messages(self) -> None:
        """A termination message has changed, or an instance is gone and its number may be used again."""
        self._messages.clear()

    def _has_lost_some(self, pod: Pod, observed: Observed) -> bool:
        """Whether containers have no instance any more.

        A container that the last status shows as waiting has had none so far.
        """
        status = self.status
        shown = status.all_containers if status is not None else ()
        waiting = {each.name for each in shown if isinstance(each.state, Waiting)}
        return any(
            observed.newest(container.name) is None and container.name not in waiting
            for container in pod.all_containers
        )

    def _report_crash_loops(self, pod: Pod, observed: Observed, memory: Memory, now: float) -> None:
        """Report one event for each end."""
        for container in pod.all_containers:
            newest = observed.newest(container.name)
            if newest is None or newest.id in self._reported_ends:
                continue
            if standing_of(pod, container, observed, memory, now).stage is Stage.BACKS_OFF:
                present = {instance.id for instance in observed.all_containers}
                self._reported_ends = (self._reported_ends & present) | {newest.id}
                of = f"{pod.name}_{pod.namespace}({pod.uid})"
                text = f"Back-off restarting failed container {container.name} in pod {of}"
                self._events.warning("BackOff", text, container=container.name)

    def _message_of(self, container: str, attempt: int) -> str:
        key = (container, attempt)
        if key not in self._messages:
            self._messages[key] = self._files.termination_message(container, attempt)
        return self._messages[key]


def _learns_users(memory: Memory) -> bool:
    """Whether the status of a container that has just started will soon have its user too."""
    return any(key.on is On.USER for key in memory.busy)


def _shows_progress(status: PodStatus) -> bool:
    """Whether it only says that the pod is being started."""
    return status.phase is PodPhase.PENDING and all(each.state in _STARTING for each in status.all_containers)
