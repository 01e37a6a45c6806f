"""Events of one pod, told with the kubelet's reasons and in our words.

Owns the event's form. Does not decide what is worth telling.
"""

from __future__ import annotations

from agent.clock import Clock
from agent.model import Pod
from agent.pods.ports import Reporter
from agent.statuses import Event


class Teller:
    """Tells people what happens to a pod."""

    def __init__(self, reporter: Reporter, clock: Clock, pod: Pod) -> None:
        self._reporter = reporter
        self._clock = clock
        self._pod = pod

    def normal(self, reason: str, message: str, *, container: str = "") -> None:
        """Something that belongs to a healthy life."""
        self._tell(reason, message, container, warning=False)

    def warning(self, reason: str, message: str, *, container: str = "") -> None:
        """Something that somebody should look at."""
        self._tell(reason, message, container, warning=True)

    def _tell(self, reason: str, message: str, container: str, *, warning: bool) -> None:
        pod = self._pod
        if not pod.name:
            return  # known by its uid only: there is no object to tell about
        kind = "initContainers" if any(each.name == container for each in pod.init_containers) else "containers"
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
