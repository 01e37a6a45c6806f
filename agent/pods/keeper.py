"""HealthKeeper: the health of a pod's instances, in the pod's view and in its files.

Owns what is assumed about an instance that an earlier agent has started. The files mean nothing after a reboot, because
no container survives it.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from agent.model import Container, Pod
from agent.pods.files import PodFiles
from agent.pods.health import HEALTHY, Fault, Health, fresh
from agent.pods.view import PodView
from agent.runtime.records import ContainerId

_LOG = logging.getLogger(__name__)


class HealthKeeper:
    """Keeps the health of one pod's instances. Changes return whether there was one."""

    def __init__(self, view: PodView, files: PodFiles) -> None:
        self._view = view
        self._files = files

    def begin(self, container: Container, instance: ContainerId) -> None:
        """Before the instance is started: write down that nothing is known yet. Raises OSError."""
        if container.checks.any:
            self._files.keep_health(container.name, instance, fresh(container.checks))
            self._view.set_health(instance, fresh(container.checks))

    def hooked(self, name: str, instance: ContainerId) -> bool:
        return self._keep(name, instance, replace(self._of(instance), hooked=True))

    def started(self, name: str, instance: ContainerId) -> bool:
        return self._keep(name, instance, replace(self._of(instance), started=True))

    def readiness(self, name: str, instance: ContainerId, *, ready: bool) -> bool:
        return self._keep(name, instance, replace(self._of(instance), ready=ready))

    def faulty(self, name: str, instance: ContainerId, fault: Fault) -> bool:
        return self._keep(name, instance, replace(self._of(instance), fault=fault))

    def pre_stopped(self, name: str, instance: ContainerId) -> bool:
        return self._keep(name, instance, replace(self._of(instance), pre_stopped=True))

    def settle(self, pod: Pod) -> None:
        """Learn the health of instances that an earlier agent has started, and forget that of those that have ended.

        One without a file is from a release without probes, which called it ready: it stays so until a probe fails.
        """
        observed = self._view.observed()
        for container in pod.all_containers:
            if not container.checks.any:
                continue
            for instance in observed.containers.get(container.name, ()):
                if instance.running and instance.id not in observed.health:
                    kept = self._files.health(container.name, instance.id)
                    self._view.set_health(instance.id, kept or HEALTHY)
                elif instance.exited and observed.health.get(instance.id) != fresh(container.checks):
                    # A person may restart it by hand.
                    self._keep(container.name, instance.id, fresh(container.checks))

    def _of(self, instance: ContainerId) -> Health:
        return self._view.observed().health_of(instance)

    def _keep(self, name: str, instance: ContainerId, health: Health) -> bool:
        """Keep it if it has changed. A write that fails is not fatal: only an agent that is restarted would miss it."""
        if self._view.get(instance) is None or self._view.observed().health.get(instance) == health:
            return False
        self._view.set_health(instance, health)
        try:
            self._files.keep_health(name, instance, health)
        except OSError as error:
            _LOG.warning("container %s: its health is not written down: %s", name, error)
        return True
