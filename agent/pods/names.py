"""What identifies a container as ours: its name, its labels and the hash of what replaces it.

Owns the form of names and labels, both ways. Names derive from uid, container and attempt, so that making the same
instance twice is a conflict and never a double.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.model import Container, ObjectRef, Pod, PodUid
from agent.pods.ports import PodsConfig
from proto.contract import Labels

_SANDBOX: Final = "POD"  # upper case: no container can have this name
_HASH_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a container is, as its labels say; `container` is empty on a sandbox."""

    uid: PodUid
    ref: ObjectRef
    container: str
    attempt: int
    sandbox: int
    started_at: float


def instance_name(uid: PodUid, container: str, attempt: int) -> str:
    """Name of one instance at the engine; an empty container is the sandbox."""
    return f"sampan_{uid}_{container or _SANDBOX}_{attempt}"


def node_labels(config: PodsConfig) -> dict[str, str]:
    """What all containers of this node and cluster carry: the only ones that we list, follow or remove."""
    return {Labels.CLUSTER: config.cluster_id, Labels.NODE: config.node_name}


def sandbox_labels(config: PodsConfig, pod: Pod, attempt: int, started_at: float) -> dict[str, str]:
    """Labels of a pod's sandbox."""
    own = {Labels.CONTAINER: "", Labels.ATTEMPT: str(attempt), Labels.POD_STARTED: str(int(started_at * 1000))}
    return node_labels(config) | _pod_labels(pod) | own


def container_labels(
    config: PodsConfig, pod: Pod, container: Container, *, attempt: int, sandbox: int
) -> dict[str, str]:
    """Labels of an instance of a container."""
    own = {
        Labels.CONTAINER: container.name,
        Labels.ATTEMPT: str(attempt),
        Labels.SANDBOX: str(sandbox),
        Labels.SPEC_HASH: spec_hash(container),
    }
    return node_labels(config) | _pod_labels(pod) | own


def identify(labels: Mapping[str, str]) -> Identity | None:
    """Reads the labels back; None when they are not those of a pod's container."""
    uid = labels.get(Labels.POD_UID, "")
    if not uid:
        return None
    return Identity(
        uid=PodUid(uid),
        ref=ObjectRef(labels.get(Labels.POD_NAMESPACE, ""), labels.get(Labels.POD_NAME, "")),
        container=labels.get(Labels.CONTAINER, ""),
        attempt=_number(labels.get(Labels.ATTEMPT, "")),
        sandbox=_number(labels.get(Labels.SANDBOX, "")),
        started_at=_number(labels.get(Labels.POD_STARTED, "")) / 1000,
    )


def spec_hash(container: Container) -> str:
    """`VERSION:HEX` over what replaces a running container when it changes: its image."""
    return f"{_HASH_VERSION}:{hashlib.sha256(container.image.encode()).hexdigest()[:16]}"


def is_outdated(labels: Mapping[str, str], container: Container) -> bool:
    """The instance must be replaced. One of a version that this agent does not know is adopted as it is."""
    found = labels.get(Labels.SPEC_HASH, "")
    return found.startswith(f"{_HASH_VERSION}:") and found != spec_hash(container)


def _pod_labels(pod: Pod) -> dict[str, str]:
    return {Labels.POD_UID: pod.uid, Labels.POD_NAMESPACE: pod.namespace, Labels.POD_NAME: pod.name}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
