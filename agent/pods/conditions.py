"""The conditions of a pod that its node decides, in the words of the kubelet. Pure functions.

Owns their reasons and the times of their transitions. `PodScheduled` and the gates of readiness are the master's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from agent.model import Pod, PodPhase, RestartRule
from agent.pods.verdict import Verdict
from agent.statuses import Condition, ContainerStatus, PodStatus

_ENDED: Final = {PodPhase.SUCCEEDED: "PodCompleted", PodPhase.FAILED: "PodFailed"}


def conditions(
    pod: Pod,
    phase: PodPhase,
    *,
    connected: bool,
    incomplete: Iterable[str] | None,
    lasting: Iterable[ContainerStatus],
    restarting: bool,
    verdict: Verdict | None,
    now: float,
    previous: PodStatus | None,
) -> tuple[Condition, ...]:
    """All conditions.

    `connected`: the sandbox runs and has its network. `incomplete`: the init containers that are not done; None: they
    need not be done any more. `lasting`: the containers that have to be ready. `restarting`: all containers are being
    restarted by a rule. `verdict`: why the pod has to end. Conditions keep the time of their last
    transition from `previous`.
    """
    fresh = (
        Condition("PodReadyToStartContainers", "True" if connected else "False"),
        _initialized(phase, incomplete),
        *_ready(phase, lasting),
        *_restarting(pod, phase, restarting=restarting),
        *_disrupted(verdict),
    )
    return tuple(_dated(condition, now, previous) for condition in fresh)


def _initialized(phase: PodPhase, incomplete: Iterable[str] | None) -> Condition:
    if phase is PodPhase.SUCCEEDED:
        return Condition("Initialized", "True", _ENDED[phase])
    if incomplete is None:
        return Condition("Initialized", "True")
    message = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return Condition("Initialized", "False", "ContainersNotInitialized", message)


def _ready(phase: PodPhase, lasting: Iterable[ContainerStatus]) -> tuple[Condition, Condition]:
    unready = [each.name for each in lasting if not each.ready]
    reason, message = _ENDED.get(phase, ""), ""
    if unready and not reason:
        reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    ready = "False" if reason else "True"
    return Condition("Ready", ready, reason, message), Condition("ContainersReady", ready, reason, message)


def _restarting(pod: Pod, phase: PodPhase, *, restarting: bool) -> Iterator[Condition]:
    """Only pods with such a rule have this condition."""
    rules = (rule for container in pod.planned_containers for rule in container.restart_rules)
    if not any(rule.action == RestartRule.RESTART_ALL for rule in rules):
        return
    if restarting and phase not in _ENDED:
        text = "container exited with restart policy rule"
        yield Condition("AllContainersRestarting", "True", "RestartAllContainersStarted", text)
    else:
        yield Condition("AllContainersRestarting", "False", _ENDED.get(phase, ""))


def _disrupted(verdict: Verdict | None) -> Iterator[Condition]:
    """Only pods that end by no fault of their own have this condition."""
    if verdict is not None and verdict.disruption:
        yield Condition("DisruptionTarget", "True", verdict.disruption, verdict.message)


def _dated(condition: Condition, now: float, previous: PodStatus | None) -> Condition:
    """The condition with the time at which its status last changed."""
    earlier = previous.conditions if previous else ()
    before = next((known for known in earlier if known.type == condition.type), None)
    moment = before.last_transition_at if before is not None and before.status == condition.status else now
    return Condition(condition.type, condition.status, condition.reason, condition.message, moment)
