"""The life cycle of containers and pods, shared by the step function and the status.

Owns restart policy, back-off and the meaning of *finished*, as pure functions (Kubernetes: "Pod Lifecycle").
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.model import Container, Pod, RestartPolicy, RestartRule
from agent.pods import backoff
from agent.pods.backoff import Backoff
from agent.pods.memory import Memory
from agent.pods.names import is_outdated
from agent.pods.observed import Instance, Observed
from agent.pods.roles import Role, policy_of, role_of
from agent.runtime.records import ContainerPhase


def is_final(pod: Pod, container: Container, ended: Instance) -> bool:
    """Whether the container that ended is not restarted."""
    role = role_of(pod, container)
    if ended.replaced and role is not Role.EPHEMERAL:
        return False
    if (rule := rule_of(container, ended)) is not None:
        # An init container that has succeeded is done, unless all containers are restarted.
        return role is Role.INIT and succeeded(ended) and rule.action == RestartRule.RESTART
    match policy_of(pod, container):
        case RestartPolicy.ALWAYS:
            return False
        case RestartPolicy.ON_FAILURE:
            return succeeded(ended)
        case RestartPolicy.NEVER:
            return True


def rule_of(container: Container, ended: Instance) -> RestartRule | None:
    """The first restart rule for this end."""
    return next((rule for rule in container.restart_rules if rule.matches(ended.record.exit_code)), None)


def trigger(pod: Pod, observed: Observed) -> tuple[Container, Instance] | None:
    """The end by whose rule all containers have to be restarted, while that is not done (RestartAllContainers)."""
    for container in pod.planned_containers:
        newest = observed.newest(container.name)
        if newest is None or not newest.exited or newest.replaced:
            continue
        rule = rule_of(container, newest)
        if rule is not None and rule.action == RestartRule.RESTART_ALL:
            return container, newest
    return None


def succeeded(instance: Instance | None) -> bool:
    """Whether the instance ended without an error."""
    return instance is not None and instance.exited and instance.record.exit_code == 0 and not instance.record.error


def next_init(pod: Pod, observed: Observed) -> Container | None:
    """The init container or sidecar whose turn it is; None once all have succeeded, or have started if they are
    sidecars.

    They run again after the sandbox was replaced. A container that joined the present sandbox proves that their turns
    are over, even if their records were removed.
    """
    sandbox = observed.live_sandbox
    attempt = sandbox.attempt if sandbox is not None else observed.next_sandbox_attempt
    if _joined(observed, pod.containers, attempt):
        return None
    for index, container in enumerate(pod.init_containers):
        newest = observed.newest(container.name)
        if newest is None or newest.sandbox != attempt:
            return container
        if role_of(pod, container) is Role.SIDECAR:
            # Once a later one has begun, its turn is over: it is restarted beside the others.
            if not observed.is_up(container.name) and not _joined(observed, pod.init_containers[index + 1 :], attempt):
                return container
        elif not succeeded(newest) or newest.replaced:
            return container
    return None


def has_begun(pod: Pod, observed: Observed) -> bool:
    """Whether a container of the pod has been started that is neither an init container nor a sidecar. Instances that
    were ended to be replaced do not count: perhaps all of them are, and the init containers run again."""
    instances = (instance for each in pod.containers for instance in observed.containers.get(each.name, ()))
    return any(each.record.phase is not ContainerPhase.CREATED and not each.replaced for each in instances)


def finished(pod: Pod, observed: Observed) -> bool:
    """Whether no container of the pod will be started again; sidecars do not count."""
    for container in pod.init_containers:
        newest = observed.newest(container.name)
        if newest is None or not newest.exited or succeeded(newest):
            continue
        if is_final(pod, container, newest) and not any_app(pod, observed):
            return True
    for container in pod.containers:
        newest = observed.newest(container.name)
        if newest is None or not newest.exited or not is_final(pod, container, newest):
            return False
    return bool(pod.containers)


def is_over(pod: Pod, memory: Memory) -> bool:
    """Whether the pod is to end, or was seen to have ended: it starts nothing any more."""
    decided = memory.verdict is not None or memory.refusal is not None
    return pod.deleted or pod.ended_phase is not None or memory.ended or decided


def grace_s_of(pod: Pod, memory: Memory) -> int:
    """Seconds that the containers get to stop when the pod ends. A deletion does not lengthen what a verdict allows."""
    verdict = memory.verdict
    if verdict is None or verdict.grace_s is None:
        return pod.grace_period_s
    return min(verdict.grace_s, pod.grace_period_s)


def restart_wait_s(container: Container, ended: Instance, memory: Memory, now: float) -> float:
    """Seconds until the container that ended may be restarted."""
    if ended.replaced or is_outdated(ended.record.labels, container):
        return 0.0
    return backoff.wait_s(restart_backoff(container, ended, memory), failed_at=failed_at(ended, memory), now=now)


def failed_at(ended: Instance, memory: Memory) -> float:
    """When a container ended, corrected for later settings of the clock."""
    return memory.ends.get(ended.id, ended.ended_at)


def deadline(pod: Pod, memory: Memory) -> float:
    """When the pod's active deadline ends, corrected for settings of the clock; 0.0: never."""
    return memory.started_at + memory.set_ahead_s + pod.active_deadline_s if pod.active_deadline_s else 0.0


def restart_backoff(container: Container, ended: Instance, memory: Memory) -> Backoff | None:
    """The back-off that is remembered for the container, or else derived from its attempts."""
    known = memory.restarts.get(container.name)
    started_at = ended.record.started_at or ended.record.created_at
    return known or backoff.assumed(ended.attempt, started_at, longest_s=memory.longest_backoff_s)


def _joined(observed: Observed, containers: Iterable[Container], sandbox: int) -> bool:
    """Whether one of the containers has joined the sandbox with this attempt, and was not ended for a successor."""
    newest = (observed.newest(container.name) for container in containers)
    return any(each is not None and each.sandbox == sandbox and not each.replaced for each in newest)


def any_app(pod: Pod, observed: Observed) -> bool:
    """Whether a container of the pod exists that is neither an init container nor a sidecar."""
    return any(observed.newest(container.name) is not None for container in pod.containers)
