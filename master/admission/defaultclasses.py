"""A new claim or ingress without a class gets the default class. If several are the default, the newest counts."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.cache import Cache
from master.kinds import INGRESS, INGRESSCLASS, PERSISTENTVOLUMECLAIM, STORAGECLASS
from master.kinds.core.claims import has_class
from master.kinds.networking.ingress import CLASS_ANNOTATION
from master.kinds.networking.ingressclass import DEFAULT as DEFAULT_INGRESS_CLASS
from master.kinds.storage.attachments import DEFAULT as DEFAULT_STORAGE_CLASS
from master.registry.resource import Resource
from master.schema.data import Untyped

_INGRESS: Final = (DEFAULT_INGRESS_CLASS,)


class DefaultStorageClass(Admission):
    """Sets `storageClassName` of claims. An empty name is a choice too: no class."""

    resources = (PERSISTENTVOLUMECLAIM,)

    async def mutate(self, attempt: Attempt) -> None:
        if attempt.creates(PERSISTENTVOLUMECLAIM):
            attempt.new = with_storage_class(attempt.cache, attempt.new) or attempt.new


class DefaultIngressClass(Admission):
    """Sets `ingressClassName` of ingresses, unless the old annotation names a class."""

    resources = (INGRESS,)

    async def mutate(self, attempt: Attempt) -> None:
        if not attempt.creates(INGRESS):
            return
        ingress = attempt.new
        if ingress.spec.get("ingressClassName") is not None or CLASS_ANNOTATION in ingress.metadata.annotations:
            return
        if name := _newest_default(attempt.cache, INGRESSCLASS, _INGRESS):
            attempt.new = _with(ingress, "ingressClassName", name)


def with_storage_class(cache: Cache, claim: Untyped) -> Untyped | None:
    """The claim with the default class; None if it has a class or no class is the default."""
    if has_class(claim):
        return None
    name = _newest_default(cache, STORAGECLASS, DEFAULT_STORAGE_CLASS)
    return _with(claim, "storageClassName", name) if name else None


def _with(obj: Untyped, field: str, name: str) -> Untyped:
    return replace(obj, content={**obj.content, "spec": {**obj.spec, field: name}})


def _newest_default(cache: Cache, kind: Resource[Any], annotations: tuple[str, ...]) -> str:
    """The name of the newest class that one of the annotations makes the default, or "". The classes are few.

    Of two from the same second, the first in the order of the names.
    """
    # The entries are in the order of their names, and of equal items `max` returns the first.
    found = (entry.obj.metadata for entry in cache.entries(kind))
    defaults = (meta for meta in found if any(meta.annotations.get(name) == "true" for name in annotations))
    newest = max(defaults, key=lambda meta: meta.creation_timestamp, default=None)
    return newest.name if newest is not None else ""
