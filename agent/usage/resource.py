"""`/metrics/resource`: processor and memory of the node, its pods and containers, as the kubelet names them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.usage.exposition import Family, Sample
from agent.usage.figures import NANO, Cgroup, ContainerUsage, PodUsage, Snapshot
from agent.usage.totals import total


def resource_metrics(snapshot: Snapshot) -> Iterator[Family]:
    """The families of metrics."""
    yield from _of_node(snapshot)
    yield from _of_containers(snapshot)
    yield from _of_pods(snapshot)
    yield Family(
        "resource_scrape_error",
        "gauge",
        "1 if there was an error while getting container metrics, 0 otherwise",
        (Sample(0, {}),),
    )


def _of_node(snapshot: Snapshot) -> Iterator[Family]:
    machine = snapshot.machine

    def one(value: float) -> tuple[Sample]:
        return (Sample(value, {}, machine.at),)

    yield Family(
        "node_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the node in core-seconds",
        one(machine.cpu_ns / NANO),
    )
    yield Family(
        "node_memory_working_set_bytes",
        "gauge",
        "Current working set of the node in bytes",
        one(machine.memory.working_set_bytes),
    )
    yield Family(
        "node_swap_usage_bytes", "gauge", "Current swap usage of the node in bytes", one(machine.memory.swap_bytes)
    )


def _of_containers(snapshot: Snapshot) -> Iterator[Family]:
    def each(value: Callable[[ContainerUsage], float], *, dated: bool = True) -> tuple[Sample, ...]:
        return tuple(
            Sample(value(usage), {"container": usage.target.name, **_pod_labels(pod)}, usage.at if dated else None)
            for pod in snapshot.pods
            for usage in pod.containers
        )

    yield Family(
        "container_start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds",
        each(lambda usage: usage.target.started_at, dated=False),
    )
    yield Family(
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the container in core-seconds",
        each(lambda usage: usage.cgroup.cpu_ns / NANO),
    )
    yield Family(
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set of the container in bytes",
        each(lambda usage: usage.cgroup.working_set_bytes),
    )
    yield Family(
        "container_swap_usage_bytes",
        "gauge",
        "Current amount of the container swap usage in bytes",
        each(lambda usage: usage.cgroup.swap_bytes),
    )


def _of_pods(snapshot: Snapshot) -> Iterator[Family]:
    measured = [
        (total(pod.all_containers), _pod_labels(pod), max(usage.at for usage in pod.all_containers))
        for pod in snapshot.pods
        if pod.all_containers
    ]

    def each(value: Callable[[Cgroup], float]) -> tuple[Sample, ...]:
        return tuple(Sample(value(used), labels, at) for used, labels, at in measured)

    yield Family(
        "pod_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the pod in core-seconds",
        each(lambda used: used.cpu_ns / NANO),
    )
    yield Family(
        "pod_memory_working_set_bytes",
        "gauge",
        "Current working set of the pod in bytes",
        each(lambda used: used.working_set_bytes),
    )
    yield Family(
        "pod_swap_usage_bytes",
        "gauge",
        "Current amount of the pod swap usage in bytes",
        each(lambda used: used.swap_bytes),
    )


def _pod_labels(pod: PodUsage) -> dict[str, str]:
    return {"pod": pod.target.name, "namespace": pod.target.namespace}
