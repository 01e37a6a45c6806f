"""`/metrics/cadvisor`: containers and the machine by the names of cAdvisor, as the kubelet shows them. Pure.

A container has the labels `namespace`, `pod`, `container`, `id` (its cgroup), `image` and `name` (the engine's). They
are empty for the machine, whose `id` is `/`. The sandbox of a pod has no `container`; it stands for the pod's network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from agent.usage.exposition import Family, Sample
from agent.usage.figures import NANO, Cgroup, ContainerUsage, Counters, Machine, PodUsage, Snapshot, Traffic
from agent.usage.summary import POD_LINK

CPU_PERIOD_US: Final = 100_000
"""The period of processor quotas, which is Kubernetes' default (agent/pods/spec.py)."""
_NO_POD: Final[Mapping[str, str]] = {"namespace": "", "pod": "", "container": "", "image": "", "name": ""}


@dataclass(frozen=True, slots=True)
class Facts:
    """What identifies the machine."""

    machine_id: str = ""
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class _Metric:
    """A metric of a cgroup."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: Callable[[Cgroup], float]
    labels: tuple[tuple[str, str], ...] = ()


_PAGE_FAULTS: Final = "Cumulative count of memory allocation failures."
_CGROUP: Final = (
    _Metric(
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed in seconds.",
        lambda used: used.cpu_ns / NANO,
        (("cpu", "total"),),
    ),
    _Metric(
        "container_cpu_system_seconds_total",
        "counter",
        "Cumulative system cpu time consumed in seconds.",
        lambda used: used.cpu_system_ns / NANO,
    ),
    _Metric(
        "container_cpu_user_seconds_total",
        "counter",
        "Cumulative user cpu time consumed in seconds.",
        lambda used: max(0, used.cpu_ns - used.cpu_system_ns) / NANO,
    ),
    _Metric(
        "container_memory_usage_bytes",
        "gauge",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        lambda used: used.memory_bytes,
    ),
    _Metric(
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set in bytes.",
        lambda used: used.working_set_bytes,
    ),
    _Metric("container_memory_rss", "gauge", "Size of RSS in bytes.", lambda used: used.rss_bytes),
    _Metric("container_memory_cache", "gauge", "Number of bytes of page cache memory.", lambda used: used.cache_bytes),
    _Metric(
        "container_memory_mapped_file",
        "gauge",
        "Size of memory mapped files in bytes.",
        lambda used: used.mapped_bytes,
    ),
    _Metric("container_memory_swap", "gauge", "Container swap usage in bytes.", lambda used: used.swap_bytes),
    _Metric(
        "container_memory_failures_total",
        "counter",
        _PAGE_FAULTS,
        lambda used: used.faults,
        (("failure_type", "pgfault"), ("scope", "hierarchy")),
    ),
    _Metric(
        "container_memory_failures_total",
        "counter",
        _PAGE_FAULTS,
        lambda used: used.major_faults,
        (("failure_type", "pgmajfault"), ("scope", "hierarchy")),
    ),
    _Metric(
        "container_oom_events_total",
        "counter",
        "Count of out of memory events observed for the container",
        lambda used: used.oom_kills,
    ),
    _Metric("container_threads", "gauge", "Number of threads running inside the container", lambda used: used.threads),
)
_QUOTA: Final = (
    _Metric(
        "container_cpu_cfs_periods_total",
        "counter",
        "Number of elapsed enforcement period intervals.",
        lambda used: used.periods,
    ),
    _Metric(
        "container_cpu_cfs_throttled_periods_total",
        "counter",
        "Number of throttled period intervals.",
        lambda used: used.throttled_periods,
    ),
    _Metric(
        "container_cpu_cfs_throttled_seconds_total",
        "counter",
        "Total time duration the container has been throttled.",
        lambda used: used.throttled_ns / NANO,
    ),
)
_DIRECTIONS: Final[tuple[tuple[str, str, Callable[[Traffic], Counters]], ...]] = (
    ("receive", "received", lambda traffic: traffic.received),
    ("transmit", "transmitted", lambda traffic: traffic.sent),
)
_COUNTS: Final[tuple[tuple[str, str, Callable[[Counters], int]], ...]] = (
    ("bytes", "bytes", lambda counters: counters.bytes),
    ("packets", "packets", lambda counters: counters.packets),
    ("packets_dropped", "packets dropped", lambda counters: counters.dropped),
    ("errors", "errors", lambda counters: counters.errors),
)


def cadvisor_metrics(snapshot: Snapshot, facts: Facts) -> Iterator[Family]:
    """The families of metrics."""
    yield from _of_cgroups(snapshot)
    yield from _of_containers(snapshot)
    yield from _of_links(snapshot)
    yield from _of_machine(snapshot.machine, facts)


def _of_cgroups(snapshot: Snapshot) -> Iterator[Family]:
    machine = snapshot.machine
    root = replace(machine.memory, cpu_ns=machine.cpu_ns)  # the cgroup that has all processes
    every = [(pod, usage) for pod in snapshot.pods for usage in pod.all_containers]
    limited = [(pod, usage) for pod, usage in every if usage.target.cpu_limit_millis]
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    for metric in _CGROUP:
        if value := metric.value(root):
            samples[metric.name].append(Sample(value, {**_NO_POD, "id": "/", **dict(metric.labels)}, machine.at))
        samples[metric.name] += _samples(metric, every)
    for metric in _QUOTA:
        samples[metric.name] += _samples(metric, limited)
    # Two metrics may have one name, and are one family.
    for name, metric in {metric.name: metric for metric in (*_CGROUP, *_QUOTA)}.items():
        yield Family(name, metric.kind, metric.help, tuple(samples[name]))


def _samples(metric: _Metric, containers: Iterable[tuple[PodUsage, ContainerUsage]]) -> Iterator[Sample]:
    for pod, usage in containers:
        yield Sample(metric.value(usage.cgroup), {**_labels(pod, usage), **dict(metric.labels)}, usage.at)


def _of_containers(snapshot: Snapshot) -> Iterator[Family]:
    def each(
        name: str, help_: str, value: Callable[[ContainerUsage], float | None], labels: Mapping[str, str] | None = None
    ) -> Family:
        samples = (
            Sample(number, {**_labels(pod, usage), **(labels or {})}, usage.at)
            for pod in snapshot.pods
            for usage in pod.all_containers
            if (number := value(usage)) is not None
        )
        return Family(name, "gauge", help_, tuple(samples))

    def quota(usage: ContainerUsage) -> float | None:
        limit = usage.target.cpu_limit_millis
        return limit * CPU_PERIOD_US / 1000 if limit else None

    yield each(
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds.",
        lambda usage: usage.target.started_at,
    )
    yield each("container_last_seen", "Last time a container was seen by the exporter", lambda usage: int(usage.at))
    yield each(
        "container_spec_memory_limit_bytes",
        "Memory limit for the container.",
        lambda usage: usage.target.memory_limit_bytes,
    )
    yield each("container_spec_cpu_period", "CPU period of the container.", lambda usage: CPU_PERIOD_US)
    yield each("container_spec_cpu_quota", "CPU quota of the container.", quota)
    yield each(
        "container_fs_usage_bytes",
        "Number of bytes that are consumed by the container on this filesystem.",
        lambda usage: usage.layer.used_bytes if usage.layer is not None else None,
        {"device": ""},
    )
    yield each(
        "container_fs_limit_bytes",
        "Number of bytes that can be consumed by the container on this filesystem.",
        lambda usage: usage.layer.capacity_bytes if usage.layer is not None else None,
        {"device": ""},
    )


def _of_links(snapshot: Snapshot) -> Iterator[Family]:
    links = [
        *(({**_NO_POD, "id": "/"}, name, seen, snapshot.machine.at) for name, seen in snapshot.machine.links.items()),
        *(
            (_labels(pod, pod.sandbox), POD_LINK, pod.traffic, pod.sandbox.at)
            for pod in snapshot.pods
            if pod.sandbox is not None and pod.traffic is not None
        ),
    ]
    for direction, done, side in _DIRECTIONS:
        for what, words, count in _COUNTS:
            yield Family(
                f"container_network_{direction}_{what}_total",
                "counter",
                f"Cumulative count of {words} {done}",
                tuple(Sample(count(side(seen)), {**labels, "interface": name}, at) for labels, name, seen, at in links),
            )


def _of_machine(machine: Machine, facts: Facts) -> Iterator[Family]:
    labels = {"machine_id": facts.machine_id, "boot_id": facts.boot_id, "system_uuid": ""}
    for name, help_, value in (
        ("machine_cpu_cores", "Number of logical CPU cores.", machine.cores),
        ("machine_memory_bytes", "Amount of memory installed on the machine.", machine.memory_total_bytes),
        ("machine_swap_bytes", "Amount of swap memory available on the machine.", machine.swap_total_bytes),
    ):
        yield Family(name, "gauge", help_, (Sample(value, labels),))


def _labels(pod: PodUsage, usage: ContainerUsage) -> dict[str, str]:
    return {
        "namespace": pod.target.namespace,
        "pod": pod.target.name,
        "container": usage.target.name,
        "id": usage.path,
        "image": usage.target.image,
        "name": usage.target.engine_name,
    }
