"""Rules of a container's and a pod's life, shared by the step function and the status.

Owns restart policy, back-off and what *finished* means, as pure functions (Kubernetes: "Pod Lifecycle").
"""

from __future__ import annotations

from agent.model import Container, Pod, RestartPolicy
from agent.pods import backoff
from agent.pods.backoff import Backoff
from agent.pods.memory import Memory
from agent.pods.names import is_outdated
from agent.pods.observed import Instance, Observed


def ended_for_good(pod: Pod, container: Container, ended: Instance) -> bool:
    """The container that ended is not started again."""
    succeeded = ended.record.exit_code == 0 and not ended.record.error
    if container in pod.init_containers:
        return succeeded or pod.restart_policy is RestartPolicy.NEVER
    match pod.restart_policy:
        case RestartPolicy.ALWAYS:
            return False
        case RestartPolicy.ON_FAILURE:
            return succeeded
        case RestartPolicy.NEVER:
            return True


def succeeded(instance: Instance | None) -> bool:
    """It ended well."""
    return instance is not None and instance.exited and instance.record.exit_code == 0 and not instance.record.error


def next_init(pod: Pod, observed: Observed) -> Container | None:
    """The init container whose turn it is; None once all have ended well.

    After a sandbox was replaced they run again. Containers that joined the present sandbox prove that the init
    containers were through, also when their records were removed.
    """
    sandbox = observed.live_sandbox
    attempt = sandbox.attempt if sandbox is not None else observed.next_sandbox_attempt
    for container in pod.containers:
        newest = observed.newest(container.name)
        if newest is not None and newest.sandbox == attempt:
            return None
    for container in pod.init_containers:
        newest = observed.newest(container.name)
        if not succeeded(newest) or (newest is not None and newest.sandbox != attempt):
            return container
    return None


def finished(pod: Pod, observed: Observed) -> bool:
    """Nothing of the pod will be started again."""
    for container in pod.init_containers:
        newest = observed.newest(container.name)
        if newest is None or not newest.exited or succeeded(newest):
            continue
        if ended_for_good(pod, container, newest) and not _any_app(pod, observed):
            return True
    for container in pod.containers:
        newest = observed.newest(container.name)
        if newest is None or not newest.exited or not ended_for_good(pod, container, newest):
            return False
    return bool(pod.containers)


def restart_wait_s(container: Container, ended: Instance, memory: Memory, now: float) -> float:
    """Seconds until the container that ended may be started again."""
    if is_outdated(ended.record.labels, container):
        return 0.0
    return backoff.wait_s(restart_backoff(container, ended, memory), failed_at=failed_at(ended, memory), now=now)


def failed_at(ended: Instance, memory: Memory) -> float:
    """When a container ended, by the clock as it is now."""
    return memory.ends.get(ended.id, ended.ended_at)


def deadline(pod: Pod, memory: Memory) -> float:
    """Until when the pod may be active, by the clock as it is now; 0.0: for ever."""
    return memory.started_at + memory.set_ahead_s + pod.active_deadline_s if pod.active_deadline_s else 0.0


def restart_backoff(container: Container, ended: Instance, memory: Memory) -> Backoff | None:
    """What is remembered of the container's restarts, or what must have been."""
    known = memory.restarts.get(container.name)
    return known or backoff.assumed(ended.attempt, ended.record.started_at or ended.record.created_at)


def _any_app(pod: Pod, observed: Observed) -> bool:
    return any(observed.newest(each.name) is not None for each in pod.containers)
