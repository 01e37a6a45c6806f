"""A workload: what all kinds that make pods have in common, so that their controllers share one code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from master.kinds.core.pod.model import PodTemplateSpec
from master.objects.labelselector import AnySelector
from master.objects.meta import ObjectMeta
from master.registry.resource import Resource


@dataclass(frozen=True, slots=True)
class Workload:
    """An object of a kind that makes pods: its selector, its template and the desired number of pods.

    `template` is None only for a stored object that is damaged. `min_ready_s`: a pod is available when it has been
    ready for this many seconds.
    """

    kind: Resource[Any]
    metadata: ObjectMeta
    selector: AnySelector
    template: PodTemplateSpec | None
    replicas: int
    min_ready_s: int

    @classmethod
    def of(cls, kind: Resource[Any], obj: Any) -> Workload:
        """The workload of an object whose spec has these fields."""
        spec = obj.spec
        replicas = spec.replicas if spec.replicas is not None else 1
        return cls(kind, obj.metadata, spec.selector or {}, spec.template, replicas, spec.min_ready_seconds)

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    def __str__(self) -> str:
        return f"{self.kind.resource} {self.metadata.namespace}/{self.metadata.name}"
