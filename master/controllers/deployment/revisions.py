"""The replica sets of a deployment as its history: which one has the current template, their numbers and annotations.

The names of the annotations are those of Kubernetes: `kubectl rollout history` and `undo` read them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from master import kinds
from master.controllers.workload.claims import owner_reference
from master.controllers.workload.workload import Workload
from master.kinds.apps.deployment import Deployment
from master.kinds.apps.replicaset import ReplicaSet, ReplicaSetSpec
from master.kinds.core.pod.model import PodTemplateSpec
from master.objects.labelselector import with_label
from master.objects.meta import LabelSelector, ObjectMeta
from master.objects.scalars import MAX_INT64

HASH: Final = "pod-template-hash"
"""The label of a replica set and its pods, so that those of different templates do not mix."""
REVISION: Final = "deployment.kubernetes.io/revision"
REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
"""The deployment's replicas when the replica set got its size. If they differ, the deployment has been scaled."""
MOST: Final = "deployment.kubernetes.io/max-replicas"
"""The most pods that the deployment could have then."""
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ROLLBACK: Final = "deprecated.deployment.rollback.to"
_NOT_COPIED: Final = frozenset((_LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED, MOST, _ROLLBACK))
# Longest list of earlier revisions, in characters.
_LONGEST_HISTORY: Final = 2000
# As in generated names: no vowels, so that no words appear.
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_HASH_LENGTH: Final = 10
_LONGEST_NAME: Final = 253
_MAX_DIGITS: Final = 19


def template_hash(template: PodTemplateSpec, collisions: int | None) -> str:
    """A short text that differs for different templates, and for each collision of one."""
    content = msgspec.json.encode(template, order="deterministic") + str(collisions or "").encode()
    number = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
    letters = []
    for _ in range(_HASH_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def by_age(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """The replica sets, the oldest first."""
    return sorted(sets, key=lambda rs: (rs.metadata.creation_timestamp, rs.metadata.name))


def current(deployment: Deployment, sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The oldest replica set that has the deployment's template."""
    wanted = deployment.spec.template
    return next((rs for rs in by_age(sets) if without_hash(rs.spec.template) == wanted), None)


def without_hash(template: PodTemplateSpec) -> PodTemplateSpec:
    """The template of a replica set as its deployment has it."""
    labels = {key: value for key, value in template.metadata.labels.items() if key != HASH}
    return replace(template, metadata=replace(template.metadata, labels=labels))


def revision(annotations: Mapping[str, str]) -> int:
    """The number in the annotation, of 64 bits; 0 without one."""
    text = annotations.get(REVISION, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else 0
    return number if number <= MAX_INT64 else 0


def next_revision(old: Iterable[ReplicaSet]) -> int:
    """The number after those of the old replica sets."""
    return max((revision(rs.metadata.annotations) for rs in old), default=0) + 1


def annotated(deployment: Deployment, annotations: Mapping[str, str], number: int) -> dict[str, str]:
    """The annotations of the current replica set: its own, those of the deployment, and the number of the revision.

    `number` counts only if it is larger than the present one: after a rollback, which is a new revision.
    """
    copied = {k: v for k, v in deployment.metadata.annotations.items() if k not in _NOT_COPIED}
    result = {**annotations, **copied}
    before = revision(annotations)
    if before < number:
        result[REVISION] = str(number)
        if REVISION in annotations:
            result[REVISION_HISTORY] = _history(annotations.get(REVISION_HISTORY, ""), annotations[REVISION])
    return result


def _history(earlier: str, number: str) -> str:
    """The list of earlier revisions with one more. The oldest are dropped when it becomes too long."""
    numbers = [*(earlier.split(",") if earlier else ()), number]
    while len(",".join(numbers)) > _LONGEST_HISTORY and len(numbers) > 1:
        del numbers[0]
    return ",".join(numbers)


def new_set(deployment: Deployment, number: int) -> ReplicaSet:
    """The replica set of the current template, without replicas. Its name and labels have the hash of the template."""
    spec, meta = deployment.spec, deployment.metadata
    hashed = template_hash(spec.template, deployment.status.collision_count)
    labels = {**spec.template.metadata.labels, HASH: hashed}
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{meta.name[: _LONGEST_NAME - len(hashed) - 1]}-{hashed}",
            namespace=meta.namespace,
            labels=labels,
            annotations=annotated(deployment, {}, number),
            owner_references=(owner_reference(Workload.of(kinds.DEPLOYMENT, deployment)),),
        ),
        spec=ReplicaSetSpec(
            replicas=0,
            min_ready_seconds=spec.min_ready_seconds,
            selector=with_label(spec.selector or LabelSelector(), HASH, hashed),
            template=replace(spec.template, metadata=replace(spec.template.metadata, labels=labels)),
        ),
    )
