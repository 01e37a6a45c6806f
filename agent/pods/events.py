"""Events of one pod, with the kubelet's reasons and our own messages.

Owns the form of an event. Its callers decide what is worth an event.
"""

from __future__ import annotations

from typing import Final

from agent.clock import Clock
from agent.model import Pod
from agent.pods.interface import Reporter
from agent.statuses import Event

_BURST: Final = 25
_REFILL_S: Final = 300.0


class Limit:
    """The kubelet's limit for the events of one object: 25 at once, and then one in five minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(_BURST)
        self._at = clock.monotonic()

    def allows(self) -> bool:
        """Whether one more event may be reported now; it counts then."""
        now = self._clock.monotonic()
        self._left = min(_BURST, self._left + (now - self._at) / _REFILL_S)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class EventRecorder:
    """Reports events of one pod. The worker keeps `pod` up to date."""

    def __init__(self, reporter: Reporter, clock: Clock, pod: Pod) -> None:
        self._reporter = reporter
        self._clock = clock
        self.pod = pod

    def normal(self, reason: str, message: str, *, container: str = "") -> None:
        """An event of normal operation."""
        self._record(reason, message, container, warning=False)

    def warning(self, reason: str, message: str, *, container: str = "") -> None:
        """An event that needs attention."""
        self._record(reason, message, container, warning=True)

    def _record(self, reason: str, message: str, container: str, *, warning: bool) -> None:
        pod = self.pod
        if not pod.name:
            return  # known by its uid only: there is no object for the event
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
                field_path=f"spec.{_field(pod, container)}{{{container}}}" if container else "",
            )
        )


def _field(pod: Pod, container: str) -> str:
    """The field of the spec that has this container."""
    if any(known.name == container for known in pod.init_containers):
        return "initContainers"
    added = any(known.name == container for known in pod.ephemeral_containers)
    return "ephemeralContainers" if added else "containers"
