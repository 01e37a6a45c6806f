"""Names and labels that identify a container as ours, and the hash that decides whether it must be replaced.

Owns the form of names and labels, writing and reading. A name is made from uid, container and attempt, so that creating
the same instance twice is a conflict and never a duplicate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.model import Container, ObjectRef, Pod, PodUid
from agent.pods.interface import PodsConfig
from agent.pods.trees import trees_label
from proto.contract import Labels

_SANDBOX: Final = "POD"  # upper case: no container can have this name
_HASH_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Identity:
    """A container's identity, read from its labels; `container` is empty for a sandbox."""

    uid: PodUid
    ref: ObjectRef
    container: str
    attempt: int
    sandbox: int
    started_at: float


def instance_name(uid: PodUid, container: str, attempt: int) -> str:
    """The engine's name of one instance; an empty container means the sandbox."""
    return f"sampan_{uid}_{container or _SANDBOX}_{attempt}"


def node_labels(config: PodsConfig) -> dict[str, str]:
    """Labels of all containers of this node and cluster: only these are listed, followed and removed."""
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
    return node_labels(config) | _pod_labels(pod) | own | trees_label(container, config.security)


def identify(labels: Mapping[str, str]) -> Identity | None:
    """The identity that the labels contain; None when they are not a pod's."""
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
    """`VERSION:HEX` over the fields whose change replaces a running container: its image."""
    return f"{_HASH_VERSION}:{hashlib.sha256(container.image.encode()).hexdigest()[:16]}"


def is_outdated(labels: Mapping[str, str], container: Container) -> bool:
    """The instance must be replaced. One with a hash of an unknown version is adopted as it is."""
    recorded = labels.get(Labels.SPEC_HASH, "")
    return recorded.startswith(f"{_HASH_VERSION}:") and recorded != spec_hash(container)


def _pod_labels(pod: Pod) -> dict[str, str]:
    return {Labels.POD_UID: pod.uid, Labels.POD_NAMESPACE: pod.namespace, Labels.POD_NAME: pod.name}


def is_sandbox(labels: Mapping[str, str]) -> bool:
    """Whether these are the labels of a sandbox, not of a container."""
    return not labels.get(Labels.CONTAINER, "")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
