"""The stage of a container: what it does now, and what has to happen to it next. Pure functions.

The step function acts on it, and the status shows it. So a container is never shown in another state than the one that
is acted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from agent.model import Container, Pod
from agent.pods.lifecycle import is_final, is_over, restart_backoff, restart_wait_s
from agent.pods.memory import Memory
from agent.pods.names import is_outdated
from agent.pods.observed import Instance, Observed
from agent.pods.roles import Role, role_of, sidecars


class Stage(Enum):
    """The stages, in the order of a container's life."""

    ABSENT = auto()
    """It has no instance."""
    CREATED = auto()
    """Its instance has not been started."""
    STARTING = auto()
    """Its instance runs, and its postStart hook has not ended."""
    RUNNING = auto()
    UNHEALTHY = auto()
    """Its instance runs and has to be restarted: a probe or its postStart hook has failed."""
    STALE = auto()
    """Its instance has to be replaced: the container's definition changed, or its sandbox is gone."""
    BACKS_OFF = auto()
    """It has ended, and will be restarted later."""
    RESTARTS = auto()
    """It has ended, and is restarted now."""
    ENDED = auto()
    """It has ended, and is not restarted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A container's stage, with the newest instance (None: ABSENT).

    With BACKS_OFF: the time of the restart, and the whole delay in seconds.
    """

    stage: Stage
    instance: Instance | None = None
    restart_at: float = 0.0
    delay_s: float = 0.0


def standing_of(pod: Pod, container: Container, observed: Observed, memory: Memory, now: float) -> Standing:
    """The container's stage at the time `now`."""
    newest = observed.newest(container.name)
    if newest is None:
        return Standing(Stage.ABSENT)
    if newest.exited:
        return _after_end(pod, container, newest, observed, memory, now)
    if not joined(observed, newest) or is_outdated(newest.record.labels, container):
        return Standing(Stage.STALE, newest)
    if not newest.running:
        return Standing(Stage.CREATED, newest)
    health = observed.health_of(newest.id)
    if health.fault is not None:
        return Standing(Stage.UNHEALTHY, newest)
    return Standing(Stage.RUNNING if health.hooked else Stage.STARTING, newest)


def allowed(pod: Pod, turn: Container | None) -> tuple[Container, ...]:
    """The containers that may run now: the init container whose `turn` it is (`next_init`) and the sidecars before it,
    or all sidecars and containers."""
    if turn is None:
        return (*sidecars(pod), *pod.containers)
    before = pod.init_containers[: pod.init_containers.index(turn)]
    return (*(each for each in before if role_of(pod, each) is Role.SIDECAR), turn)


def joined(observed: Observed, instance: Instance) -> bool:
    """Whether the instance has joined the present sandbox."""
    sandbox = observed.live_sandbox
    return sandbox is not None and sandbox.attempt == instance.sandbox


def _after_end(
    pod: Pod, container: Container, ended: Instance, observed: Observed, memory: Memory, now: float
) -> Standing:
    # Init containers run again in a new sandbox, whatever their result was in the last one.
    again = container in pod.init_containers and not joined(observed, ended)
    if is_over(pod, memory) or (is_final(pod, container, ended) and not again):
        return Standing(Stage.ENDED, ended)
    wait_s = restart_wait_s(container, ended, memory, now)
    if wait_s <= 0:
        return Standing(Stage.RESTARTS, ended)
    backoff = restart_backoff(container, ended, memory)
    return Standing(Stage.BACKS_OFF, ended, now + wait_s, backoff.delay_s if backoff else 0.0)
