"""`/metrics`: this agent's own process, and how many pods and containers run. Pure but for `of_this_process`.

Where the kubelet has the same figure, it has the kubelet's name.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from agent.usage.exposition import Family, Sample
from agent.usage.figures import Snapshot


@dataclass(frozen=True, slots=True)
class Process:
    """What the agent's own process uses. Times in seconds."""

    version: str = ""
    started_at: float = 0.0
    cpu_s: float = 0.0
    resident_bytes: int = 0
    virtual_bytes: int = 0
    files: int = 0
    max_files: int = 0
    threads: int = 0


def of_this_process(version: str) -> Process:
    """This process now."""
    process = psutil.Process(os.getpid())
    with process.oneshot():
        times, memory = process.cpu_times(), process.memory_info()
        return Process(
            version=version,
            started_at=process.create_time(),
            cpu_s=times.user + times.system,
            resident_bytes=memory.rss,
            virtual_bytes=memory.vms,
            files=process.num_fds(),
            max_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            threads=process.num_threads(),
        )


def own_metrics(snapshot: Snapshot, process: Process) -> Iterator[Family]:
    """The families of metrics."""
    yield Family("sampan_build_info", "gauge", "The release of this agent.", (Sample(1, {"version": process.version}),))
    yield Family("kubelet_node_name", "gauge", "The node's name. The count is always 1.", _node(snapshot))
    pods = [pod for pod in snapshot.pods if pod.sandbox is not None]
    yield _gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", len(pods))
    running = Sample(sum(len(pod.containers) for pod in snapshot.pods), {"container_state": "running"})
    yield Family("kubelet_running_containers", "gauge", "Number of containers currently running", (running,))
    yield Family(
        "process_cpu_seconds_total",
        "counter",
        "Total user and system CPU time spent in seconds.",
        (Sample(process.cpu_s, {}),),
    )
    yield _gauge("process_resident_memory_bytes", "Resident memory size in bytes.", process.resident_bytes)
    yield _gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", process.virtual_bytes)
    yield _gauge("process_open_fds", "Number of open file descriptors.", process.files)
    yield _gauge("process_max_fds", "Maximum number of open file descriptors.", process.max_files)
    yield _gauge("process_threads", "Number of threads.", process.threads)
    yield _gauge(
        "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", process.started_at
    )


def _node(snapshot: Snapshot) -> tuple[Sample, ...]:
    return (Sample(1, {"node": snapshot.node}),)


def _gauge(name: str, help_: str, value: float) -> Family:
    return Family(name, "gauge", help_, (Sample(value, {}),))
