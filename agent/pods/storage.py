"""Whether a pod has written more than its limits of local storage allow: the kubelet's local storage eviction. Pure.

Owns the order of the checks and their messages, which are the kubelet's. What was written is measured in agent/usage.
"""

from __future__ import annotations

from typing import Final

from agent.amounts import limits_of
from agent.model import EmptyDir, Pod
from agent.pods.verdict import is_critical
from agent.usage.written import Written

_UNITS: Final = ((1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")), (1000, ("", "k", "M", "G", "T", "P", "E")))


def is_limited(pod: Pod) -> bool:
    """Whether the pod can be evicted because of what it writes. A pod that the cluster needs cannot be."""
    volumes = any(isinstance(volume.source, EmptyDir) and volume.source.size_limit_bytes for volume in pod.volumes)
    return not is_critical(pod) and (volumes or limits_of(pod).disk_bytes > 0)


def excess(pod: Pod, written: Written) -> str:
    """Which limit is exceeded, in the words of the kubelet; empty: none."""
    if not is_limited(pod):
        return ""
    return _of_volumes(pod, written) or _of_pod(pod, written) or _of_containers(pod, written)


def _of_volumes(pod: Pod, written: Written) -> str:
    for volume in pod.volumes:
        if isinstance(volume.source, EmptyDir):
            limit = volume.source.size_limit_bytes
            if 0 < limit < written.volumes.get(volume.name, 0):
                return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{size(limit)}". '
    return ""


def _of_pod(pod: Pod, written: Written) -> str:
    limit = limits_of(pod).disk_bytes
    if 0 < limit < written.ephemeral_bytes:
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {size(limit)}. "
    return ""


def _of_containers(pod: Pod, written: Written) -> str:
    """As in the kubelet, init containers count in the pod's sum only."""
    for container in pod.containers:
        limit = container.resources.ephemeral_storage_limit_bytes
        if 0 < limit < written.containers.get(container.name, 0):
            return f'Container {container.name} exceeded its local ephemeral storage limit "{size(limit)}". '
    return ""


def size(number: int) -> str:
    """The bytes as a quantity of Kubernetes: with the largest unit that leaves a whole number.

    The master does not send which kind of unit the author chose, so it is the one that leaves the shorter number.
    """
    return min(
        (_in_units(number, base, names) for base, names in _UNITS), key=lambda text: len(text.rstrip("KMGTPEik"))
    )


def _in_units(number: int, base: int, names: tuple[str, ...]) -> str:
    index = 0
    while number and index + 1 < len(names) and number % base == 0:
        number, index = number // base, index + 1
    return f"{number}{names[index]}"
