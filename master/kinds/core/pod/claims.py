"""The volume claims that a pod uses: those that its volumes name, and those that were made for the pod."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from master.kinds.core.pod.model import Pod
from master.objects.index import Index


class _Source(msgspec.Struct, gc=False, rename="camel"):
    claim_name: str = ""


class _Volume(msgspec.Struct, gc=False, rename="camel"):
    persistent_volume_claim: _Source | None = None


def _named(volumes: Iterable[_Volume]) -> Iterable[str]:
    return {volume.persistent_volume_claim.claim_name: None for volume in volumes if volume.persistent_volume_claim}


CLAIM: Final = Index("claim", ("spec", "volumes"), tuple[_Volume, ...], _named)
"""Pods by the names of the claims in their volumes, without those that were made for them."""


def own_claims(pod: Pod) -> list[str]:
    """The names of the claims that are made for the pod's ephemeral volumes."""
    return [f"{pod.metadata.name}-{volume.name}" for volume in pod.spec.volumes if volume.ephemeral is not None]


def claims_of(pod: Pod) -> list[str]:
    """The names of all claims that the pod's volumes use."""
    sources = (volume.persistent_volume_claim for volume in pod.spec.volumes)
    return [*(source.claim_name for source in sources if source is not None), *own_claims(pod)]
