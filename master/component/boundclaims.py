"""The volume behind a claim of a pod, or why there is none yet: pure functions over claims and volumes.

Only a claim that is bound by both sides has a volume: it names the volume, and the volume's `claimRef` names it. The
texts are those of kube-scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.volume import Volume
from master.schema.data import Untyped

_UNBOUND: Final = "pod has unbound immediate PersistentVolumeClaims"


class Storage(Protocol):
    """Finds claims and volumes."""

    def claim(self, namespace: str, name: str) -> Untyped | None: ...

    def volume(self, name: str) -> Untyped | None: ...


@dataclass(frozen=True, slots=True)
class Claimed:
    """A volume of a pod that is a claim: the claim's name, and what is behind it. `problem` if nothing is."""

    claim: str
    volume: Untyped | None = None
    problem: str = ""


def claim_name(pod: Pod, volume: Volume) -> str:
    """The name of the claim that a volume of the pod uses; empty if it uses none."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def claimed(pod: Pod, volume: Volume, storage: Storage) -> Claimed:
    """What is behind a volume of the pod that uses a claim."""
    name = claim_name(pod, volume)
    claim = storage.claim(pod.metadata.namespace, name)
    if claim is None:
        waits = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
        return Claimed(name, problem=f'{waits} "{name}"' if volume.ephemeral else _missing("claim", name))
    if volume.ephemeral is not None and not is_owned(claim, pod):
        return Claimed(name, problem=not_owned(pod, name))
    if claim.metadata.deletion_timestamp:
        return Claimed(name, problem=f'persistentvolumeclaim "{name}" is being deleted')
    bound = str(claim.spec.get("volumeName") or "")
    if not bound:
        return Claimed(name, problem=_UNBOUND)
    found = storage.volume(bound)
    if found is None:
        return Claimed(name, problem=_missing("", bound))
    return Claimed(name, found) if _names(found, claim) else Claimed(name, problem=_UNBOUND)


def all_claimed(pod: Pod, storage: Storage) -> Iterator[Claimed]:
    """The same of all volumes of the pod that use claims."""
    for volume in pod.spec.volumes:
        if claim_name(pod, volume):
            yield claimed(pod, volume, storage)


def _names(volume: Untyped, claim: Untyped) -> bool:
    """Whether the volume is meant for this claim. Without this consent, everybody could take any volume."""
    reference = volume.spec.get("claimRef") or {}
    meta = claim.metadata
    same = (reference.get("namespace"), reference.get("name")) == (meta.namespace, meta.name)
    return same and reference.get("uid") in (None, "", meta.uid)


def is_owned(claim: Untyped, pod: Pod) -> bool:
    """Whether the claim was made for an ephemeral volume of the pod."""
    return any(owner.controller and owner.uid == pod.metadata.uid for owner in claim.metadata.owner_references)


def not_owned(pod: Pod, name: str) -> str:
    """Why a pod cannot use a claim that has the name of the one that would be made for it."""
    at = pod.metadata.namespace
    return f"PVC {at}/{name} was not created for pod {at}/{pod.metadata.name} (pod is not owner)"


def _missing(what: str, name: str) -> str:
    return f'persistentvolume{what} "{name}" not found'
