"""Reviews: resources that can only be created. The answer is the body with its status filled in; nothing is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from master.objects.meta import Object
from master.registry.resource import Resource
from master.registry.subresource import Action, Served
from master.schema.schema import Typed


def review(
    model: type[Object], group: str, act: Callable[[Any, Any, Any], Awaitable[Any]], *, namespaced: bool = False
) -> Resource[Any]:
    """The resource of a review in version v1 of its group. `act` answers it, as in `Action`."""
    kind, schema = model.__name__, Typed(model)
    return Resource(
        kind=kind,
        plural=f"{kind.lower()}s",
        schema=schema,
        group=group,
        namespaced=namespaced,
        verbs=("create",),
        action=Action("", Served(kind, group, "v1"), schema, act=act),
    )
