"""`/stats/summary`: the usage of the node and its pods as the kubelet shows it. Pure.

The shape is that of k8s.io/kubelet/pkg/apis/stats/v1alpha1. A figure that is not known is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agent.usage.figures import Cgroup, ContainerUsage, Counters, Machine, PodUsage, Snapshot, Space, Traffic
from agent.usage.targets import VolumeTarget
from agent.usage.totals import total, total_nano_cores

POD_LINK: Final = "eth0"

_ALWAYS: Final = frozenset({"nodeName", "podRef", "name", "startTime", "cpu", "memory", "swap", "containers"})

Json = dict[str, Any]


def summary(snapshot: Snapshot, *, only_cpu_and_memory: bool = False) -> Json:
    """The document. `only_cpu_and_memory`: without links, disks and processes."""
    shown = _without_the_rest if only_cpu_and_memory else _whole
    return {
        "node": shown(_node(snapshot.node, snapshot.machine)),
        "pods": [shown(_pod(pod)) for pod in snapshot.pods if pod.all_containers],
    }


def _whole(part: Json) -> Json:
    return part


def _without_the_rest(part: Json) -> Json:
    kept = {key: value for key, value in part.items() if key in _ALWAYS}
    if "containers" in kept:
        kept["containers"] = [_without_the_rest(container) for container in kept["containers"]]
    return kept


def _node(name: str, machine: Machine) -> Json:
    swap = {
        "time": _time(machine.at),
        "swapAvailableBytes": machine.swap_total_bytes - machine.memory.swap_bytes,
        "swapUsageBytes": machine.memory.swap_bytes,
    }
    images = _disk(machine.images)
    return _known(
        nodeName=name,
        startTime=_time(machine.booted_at),
        cpu=_cpu(machine.at, machine.cpu_ns, machine.cpu_nano_cores),
        memory=_memory(machine.at, machine.memory_total_bytes, machine.memory),
        swap=swap,
        network=_network(machine.at, machine.default_link, machine.links),
        fs=_disk(machine.state),
        runtime={"imageFs": images, "containerFs": images} if images is not None else None,
        rlimit={"time": _time(machine.at), "maxpid": machine.max_processes, "curproc": machine.processes},
    )


def _pod(pod: PodUsage) -> Json:
    target, containers = pod.target, pod.all_containers
    at = max(container.at for container in containers)
    used = total(containers)
    return _known(
        podRef={"name": target.name, "namespace": target.namespace, "uid": target.uid},
        startTime=_time(target.started_at),
        containers=[_container(container) for container in pod.containers],
        cpu=_cpu(at, used.cpu_ns, total_nano_cores(containers)),
        memory=_memory(at, _limit(pod), used),
        swap={"time": _time(at), "swapUsageBytes": used.swap_bytes},
        network=_network(at, POD_LINK, {POD_LINK: pod.traffic}) if pod.traffic is not None else None,
        volume=[_volume(pod, volume) for volume in pod.target.volumes if volume.name in pod.volumes] or None,
        process_stats={"process_count": used.threads},
        **{"ephemeral-storage": _ephemeral(pod)},
    )


def _container(usage: ContainerUsage) -> Json:
    cgroup = usage.cgroup
    return _known(
        name=usage.target.name,
        startTime=_time(usage.target.started_at),
        cpu=_cpu(usage.at, cgroup.cpu_ns, usage.cpu_nano_cores),
        memory=_memory(usage.at, usage.target.memory_limit_bytes, cgroup),
        swap={"time": _time(usage.at), "swapUsageBytes": cgroup.swap_bytes},
        rootfs=_disk(usage.layer),
        logs=_disk(usage.logs),
    )


def _cpu(at: float, nanoseconds: int, nano_cores: int | None) -> Json:
    return _known(time=_time(at), usageNanoCores=nano_cores, usageCoreNanoSeconds=nanoseconds)


def _memory(at: float, limit: int, used: Cgroup) -> Json:
    """`limit`: bytes; 0: there is none, so what is available is not known."""
    return _known(
        time=_time(at),
        availableBytes=max(0, limit - used.working_set_bytes) if limit else None,
        workingSetBytes=used.working_set_bytes,
        usageBytes=used.memory_bytes,
        rssBytes=used.rss_bytes,
        pageFaults=used.faults,
        majorPageFaults=used.major_faults,
    )


def _limit(pod: PodUsage) -> int:
    """The memory that the pod may use; 0 if a container has no limit."""
    limits = [container.target.memory_limit_bytes for container in pod.containers]
    return sum(limits) if all(limits) else 0


def _volume(pod: PodUsage, volume: VolumeTarget) -> Json:
    return {**_space(pod.volumes[volume.name]), "name": volume.name}


def _ephemeral(pod: PodUsage) -> Json | None:
    """What the pod wrote to the disk of the node: layers, logs, and volumes that end with it."""
    kept = {volume.name for volume in pod.target.volumes if volume.ephemeral}
    parts = [
        *(part for container in pod.containers for part in (container.layer, container.logs) if part is not None),
        *(space for name, space in pod.volumes.items() if name in kept),
    ]
    if not parts:
        return None
    return {
        **_space(parts[-1]),
        "usedBytes": _sum(part.used_bytes for part in parts),
        "inodesUsed": _sum(part.inodes_used for part in parts),
    }


def _sum(values: Iterable[int | None]) -> int:
    return sum(value for value in values if value is not None)


def _space(space: Space) -> Json:
    return _known(
        time=_time(space.at),
        availableBytes=space.available_bytes,
        capacityBytes=space.capacity_bytes,
        usedBytes=space.used_bytes,
        inodesFree=space.inodes_free,
        inodes=space.inodes,
        inodesUsed=space.inodes_used,
    )


def _disk(space: Space | None) -> Json | None:
    return _space(space) if space is not None else None


def _network(at: float, default: str, links: Mapping[str, Traffic]) -> Json | None:
    """The default link with its figures, and a list of all."""
    if not links:
        return None
    interfaces = [_link(name, traffic) for name, traffic in links.items()]
    first = next((link for link in interfaces if link["name"] == default), {"name": ""})
    return {"time": _time(at), **first, "interfaces": interfaces}


def _link(name: str, traffic: Traffic) -> Json:
    return {"name": name, **_direction("rx", traffic.received), **_direction("tx", traffic.sent)}


def _direction(prefix: str, counters: Counters) -> Json:
    return {f"{prefix}Bytes": counters.bytes, f"{prefix}Errors": counters.errors}


def _known(**values: Any) -> Json:
    """The values that are known."""
    return {name: value for name, value in values.items() if value is not None}


def _time(at: float) -> str:
    """As Kubernetes writes times: to the second, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
