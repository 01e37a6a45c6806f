"""Scale (autoscaling/v1): the number of pods of a controller, as a subresource. Never stored."""

from __future__ import annotations

from typing import Any

from msgspec import field
from msgspec.structs import replace

from master.objects.labelselector import to_text
from master.objects.meta import Model, Object, ObjectMeta, always
from master.objects.scalars import Int32, Natural
from master.registry.subresource import Served, View
from master.schema.schema import Typed


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


def scale_of(obj: Any) -> Scale:
    """The scale of a controller that has `spec.replicas` and a selector of any form."""
    meta = obj.metadata
    return Scale(
        api_version="autoscaling/v1",
        kind="Scale",
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=ScaleSpec(replicas=obj.spec.replicas or 0),
        status=ScaleStatus(
            replicas=obj.status.replicas,
            selector=to_text(obj.spec.selector),
        ),
    )


def scaled(obj: Any, scale: Scale) -> Any:
    """The controller with the number of replicas of a scale."""
    return replace(obj, spec=replace(obj.spec, replicas=scale.spec.replicas))


SCALE = View(
    "scale",
    Served("Scale", "autoscaling", "v1"),
    Typed(Scale),
    read=scale_of,
    write=scaled,
    path=("spec", "replicas"),
)
"""The subresource `scale` of a controller."""
