"""From a snapshot of what pods use to the message of a heartbeat. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from agent.usage.figures import ContainerUsage, PodUsage, Snapshot
from proto import contract
from proto.gen import observed_pb2


def usages_to_proto(snapshot: Snapshot, now: float) -> observed_pb2.PodUsages:
    """The usages of all pods whose running containers were all measured, as in Kubernetes. `now`: monotonic seconds."""
    pods = [_pod(pod) for pod in _bounded(snapshot.pods)]
    return observed_pb2.PodUsages(pods=pods, age_ms=max(0, int((now - snapshot.taken_at) * 1000)))


def _bounded(pods: Iterable[PodUsage]) -> Iterator[PodUsage]:
    """The complete pods, up to what the master accepts."""
    containers = 0
    for pod in islice(filter(_is_complete, pods), contract.MAX_REPORTED):
        containers += len(pod.containers)
        if containers <= contract.MAX_MEASURED:
            yield pod


def _is_complete(pod: PodUsage) -> bool:
    measured = [usage for usage in pod.containers if usage.cpu_nano_cores is not None]
    return 0 < len(measured) == len(pod.target.containers)


def _pod(pod: PodUsage) -> observed_pb2.PodUsage:
    return observed_pb2.PodUsage(uid=pod.target.uid, containers=map(_container, pod.containers))


def _container(usage: ContainerUsage) -> observed_pb2.ContainerUsage:
    return observed_pb2.ContainerUsage(
        name=usage.target.name,
        cpu_nano_cores=usage.cpu_nano_cores,
        memory_bytes=usage.cgroup.working_set_bytes,
        window_ms=int(usage.window_s * 1000),
    )
