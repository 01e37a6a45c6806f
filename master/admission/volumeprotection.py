"""New volumes and claims get a finalizer, so that they are not removed while they are in use.

master/controllers/volumeprotection.py removes it from those that are being deleted.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import PERSISTENTVOLUME, PERSISTENTVOLUMECLAIM
from master.registry.resource import Resource

PROTECTION: Final[dict[Resource[Any], str]] = {
    PERSISTENTVOLUMECLAIM: "kubernetes.io/pvc-protection",
    PERSISTENTVOLUME: "kubernetes.io/pv-protection",
}
"""The kinds that are protected, and their finalizers."""


class ProtectVolumes(Admission):
    """Adds the finalizer of the kind."""

    resources = tuple(PROTECTION)

    async def mutate(self, attempt: Attempt) -> None:
        if attempt.before is not None:
            return
        finalizer = PROTECTION[attempt.request.resource]
        meta = attempt.new.metadata
        if finalizer not in meta.finalizers:
            attempt.new = replace(attempt.new, metadata=replace(meta, finalizers=(*meta.finalizers, finalizer)))
