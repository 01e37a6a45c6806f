"""The table of pods: ready containers, the most telling state, restarts, addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from master.kinds.core.pod.container import ContainerStatus
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.sidecars import is_sidecar
from master.registry.table import AGE, NAME, Cell, Column, Table, age


def pod_reason(pod: Pod) -> str:
    """The STATUS column: the phase, or the reason that keeps the pod from running."""
    status = pod.status
    reason = status.reason or status.phase
    init = _init_reason(pod)
    reason = init if init and not _is_true(pod, "Initialized") else _containers_reason(pod, init or reason)
    if _is_true(pod, "AllContainersRestarting"):
        reason = "RestartingAllContainers"
    if pod.metadata.deletion_timestamp:
        return "Unknown" if status.reason == "NodeLost" else "Terminating"
    return reason


def _init_reason(pod: Pod) -> str:
    sidecars = _sidecars(pod)
    for index, container in enumerate(pod.status.init_container_statuses):
        ended, waiting = container.state.terminated, container.state.waiting
        if (ended is not None and ended.exit_code == 0) or (container.name in sidecars and container.started):
            continue
        if ended is not None:
            end = ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")
            return f"Init:{end}"
        if waiting is not None and waiting.reason and waiting.reason != "PodInitializing":
            return f"Init:{waiting.reason}"
        return f"Init:{index}/{len(pod.spec.init_containers)}"
    return ""


def _containers_reason(pod: Pod, reason: str) -> str:
    running = False
    for container in reversed(pod.status.container_statuses):
        waiting, ended = container.state.waiting, container.state.terminated
        if waiting is not None and waiting.reason:
            reason = waiting.reason
        elif ended is not None:
            reason = ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")
        elif container.ready and container.state.running is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if _is_true(pod, "Ready") else "NotReady"
    return reason


def _is_true(pod: Pod, condition: str) -> bool:
    return any(each.type == condition and each.status == "True" for each in pod.status.conditions)


def _sidecars(pod: Pod) -> set[str]:
    return {container.name for container in pod.spec.init_containers if is_sidecar(container)}


def _restarts(pod: Pod, now: datetime) -> str:
    """As in Kubernetes, the restarts of init containers count only until the pod is initialized."""
    sidecars, initialized = _sidecars(pod), not _init_reason(pod) or _is_true(pod, "Initialized")
    inits = [each for each in pod.status.init_container_statuses if not initialized or each.name in sidecars]
    containers = [*inits, *(pod.status.container_statuses if initialized else ())]
    count = sum(container.restart_count for container in containers)
    last = max((_finished(container) for container in containers), default="")
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _finished(container: ContainerStatus) -> str:
    ended = container.last_state.terminated
    return ended.finished_at if ended is not None else ""


def _cells(pod: Pod, now: datetime) -> Sequence[Cell]:
    sidecars = _sidecars(pod)
    beside = [each for each in pod.status.init_container_statuses if each.name in sidecars and each.started]
    ready = sum(each.ready and each.state.running is not None for each in (*beside, *pod.status.container_statuses))
    true = {c.type for c in pod.status.conditions if c.status == "True"}
    gates = [gate.condition_type for gate in pod.spec.readiness_gates]
    return (
        pod.metadata.name,
        f"{ready}/{len(pod.spec.containers) + len(sidecars)}",
        pod_reason(pod),
        _restarts(pod, now),
        age(pod.metadata.creation_timestamp, now),
        pod.status.pod_ip or "<none>",
        pod.spec.node_name or "<none>",
        pod.status.nominated_node_name or "<none>",
        f"{sum(1 for gate in gates if gate in true)}/{len(gates)}" if gates else "<none>",
    )


PODS = Table(
    columns=(
        NAME,
        Column("Ready", description="The numbers of ready and of all containers."),
        Column("Status", description="The phase, or the reason that keeps the pod from running."),
        Column("Restarts", description="The number of restarts of the pod's containers."),
        AGE,
        Column("IP", priority=1, description="The pod's address."),
        Column("Node", priority=1, description="The node on which the pod runs."),
        Column("Nominated Node", priority=1, description="The node on which other pods are removed for this pod."),
        Column("Readiness Gates", priority=1, description="Further conditions for the pod to be ready."),
    ),
    cells=_cells,
)
