"""Scale (autoscaling/v1) and Binding: bodies of subresources, never stored."""

from __future__ import annotations

from msgspec import field

from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import Int32, Natural


class ScaleSpec(Model, frozen=True, kw_only=True):
    """How many pods are wanted."""

    replicas: Natural = always(0)


class ScaleStatus(Model, frozen=True, kw_only=True):
    """How many there are, and how they are found."""

    replicas: Int32 = always(0)
    selector: str = ""


class Scale(Object, frozen=True, kw_only=True):
    """The number of pods of a controller, whatever its kind."""

    spec: ScaleSpec = field(default_factory=ScaleSpec)
    status: ScaleStatus = field(default_factory=ScaleStatus)


class Binding(Object, frozen=True, kw_only=True):
    """Puts a pod on a node, once."""

    target: ObjectReference = field(default_factory=ObjectReference)
