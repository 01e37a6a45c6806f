"""The lifecycle hooks of a pod's containers: calls them and records their results.

When a hook is due is decided in step.py.
"""

from __future__ import annotations

import logging
from typing import Final

from agent.model import Container, Pod
from agent.pods.actions import PostStart, PreStop
from agent.pods.events import EventRecorder
from agent.pods.files import PodFiles
from agent.pods.health import Fault
from agent.pods.keeper import HealthKeeper
from agent.pods.view import PodView
from agent.probes.interface import Prober, Target

_LONGEST_S: Final = 24 * 3600.0
"""A postStart hook has no time limit of its own in Kubernetes; the grace period bounds a preStop hook (step.py)."""

log = logging.getLogger(__name__)


class Hooks:
    """Carries out the hooks of one pod."""

    def __init__(
        self, prober: Prober, view: PodView, keeper: HealthKeeper, files: PodFiles, events: EventRecorder
    ) -> None:
        self._prober = prober
        self._view = view
        self._keeper = keeper
        self._files = files
        self._events = events

    async def post_start(self, pod: Pod, action: PostStart) -> None:
        """Call the hook after a start. If it fails, the container is at fault and will be restarted."""
        container = action.container
        assert container.checks.post_start is not None
        target = Target(action.id, self._view.address)
        problem = await self._prober.hook(container.checks.post_start, target, timeout_s=_LONGEST_S)
        if not problem:
            self._keeper.hooked(container.name, action.id)
            return
        self._failed("PostStart", pod, container, problem)
        self._keeper.faulty(container.name, action.id, Fault.POST_START)

    async def pre_stop(self, pod: Pod, action: PreStop) -> None:
        """Call the hook before a stop, which follows even if the hook fails."""
        container = action.container
        assert container.checks.pre_stop is not None
        if action.replaces:
            self._files.mark_replaced(container.name, action.id)
        self._events.normal("Killing", action.message, container=container.name)
        target = Target(action.id, self._view.address)
        problem = await self._prober.hook(container.checks.pre_stop, target, timeout_s=_LONGEST_S)
        if problem:
            self._failed("PreStop", pod, container, problem)
        self._keeper.pre_stopped(container.name, action.id)

    def _failed(self, hook: str, pod: Pod, container: Container, problem: str) -> None:
        """As in the kubelet, only the node's log has the details: what a hook prints may be secret."""
        log.warning("pod %s: %s hook of container %s failed: %s", pod.ref, hook, container.name, problem)
        self._events.warning(f"Failed{hook}Hook", f"{hook}Hook failed", container=container.name)
