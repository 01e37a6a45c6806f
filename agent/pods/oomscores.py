"""The OOM scores of containers: whose processes the kernel kills first when the machine has no memory left.

By the kubelet's formula: first pods without requests and limits, then those that requested least. Pure functions.
"""

from __future__ import annotations

from typing import Final

from agent.model import Container, Pod, Resources
from agent.pods.roles import Role, role_of

SANDBOX: Final = -998
_GUARANTEED: Final = -997
_BEST_EFFORT: Final = 1000
# The score of a Burstable container is between these.
_LEAST, _MOST = 3, 999


def score_of(pod: Pod, container: Container, *, memory_bytes: int) -> int:
    """The score of a container on a machine with this memory (0: not known)."""
    own = _score(pod, container, memory_bytes)
    if role_of(pod, container) is not Role.SIDECAR:
        return own
    # A sidecar must not be killed before the containers that it serves.
    return min([own, *(_score(pod, each, memory_bytes) for each in pod.containers)])


def _score(pod: Pod, container: Container, memory_bytes: int) -> int:
    resources = [each.resources for each in pod.planned_containers]
    if not any(map(_has_any, resources)):
        return _BEST_EFFORT
    if all(map(_is_guaranteed, resources)):
        return _GUARANTEED
    if not memory_bytes:
        return _MOST
    share = 1000 * container.resources.memory_request_bytes // memory_bytes
    return min(max(1000 - share, _LEAST), _MOST)


def _has_any(resources: Resources) -> bool:
    """Only processor and memory count for the class."""
    requests = (resources.cpu_request_millis, resources.memory_request_bytes)
    return any((*requests, resources.cpu_limit_millis, resources.memory_limit_bytes))


def _is_guaranteed(resources: Resources) -> bool:
    limits = (resources.cpu_limit_millis, resources.memory_limit_bytes)
    return all(limits) and limits == (resources.cpu_request_millis, resources.memory_request_bytes)
