"""Scale (autoscaling/v1) and Binding: request bodies of subresources. Never stored."""

from __future__ import annotations

from msgspec import field

from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import Int32, Natural


class ScaleSpec(Model, frozen=True, kw_only=True):
    """The desired number of pods."""

    replicas: Natural = always(0)


class ScaleStatus(Model, frozen=True, kw_only=True):
    """The observed number of pods, and the selector of these pods as text."""

    replicas: Int32 = always(0)
    selector: str = ""


class Scale(Object, frozen=True, kw_only=True):
    """The number of pods of a controller, in the same form for every kind of controller."""

    spec: ScaleSpec = field(default_factory=ScaleSpec)
    status: ScaleStatus = field(default_factory=ScaleStatus)


class Binding(Object, frozen=True, kw_only=True):
    """Assigns a pod to the node `target`. A pod can be assigned only once."""

    target: ObjectReference = field(default_factory=ObjectReference)
