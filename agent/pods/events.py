"""Events of one pod, with the kubelet's reasons and our own messages.

Owns the form of an event. Its callers decide what is worth an event.
"""

from __future__ import annotations

from agent.clock import Clock
from agent.model import Pod
from agent.pods.interface import Reporter
from agent.statuses import Event


class EventRecorder:
    """Reports events of one pod."""

    def __init__(self, reporter: Reporter, clock: Clock, pod: Pod) -> None:
        self._reporter = reporter
        self._clock = clock
        self._pod = pod

    def normal(self, reason: str, message: str, *, container: str = "") -> None:
        """An event of normal operation."""
        self._record(reason, message, container, warning=False)

    def warning(self, reason: str, message: str, *, container: str = "") -> None:
        """An event that needs attention."""
        self._record(reason, message, container, warning=True)

    def _record(self, reason: str, message: str, container: str, *, warning: bool) -> None:
        pod = self._pod
        if not pod.name:
            return  # known by its uid only: there is no object for the event
        kind = "initContainers" if any(known.name == container for known in pod.init_containers) else "containers"
        self._reporter.event(
            Event(
                kind="Pod",
                namespace=pod.namespace,
                name=pod.name,
                uid=pod.uid,
                reason=reason,
                message=message,
                at=self._clock.wall(),
                warning=warning,
                field_path=f"spec.{kind}{{{container}}}" if container else "",
            )
        )
