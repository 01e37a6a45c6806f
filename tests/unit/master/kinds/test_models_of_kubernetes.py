"""The typed models have exactly the fields and types of the Kubernetes API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from master.kinds import ALL, PASSIVE
from master.registry.resource import Resource
from master.schema.facts import facts
from master.schema.models import struct_of
from master.schema.schema import Typed
from master.schema.tree import Flag, Items, Map, Node, Number, NumberOrText, Struct, Text

# Groups that are not in the facts, because another server than Kubernetes' API server has them.
_OTHER_GROUPS = {"metrics.k8s.io"}
TYPED = [resource for resource in ALL if resource not in PASSIVE and resource.group not in _OTHER_GROUPS]


def shape(node: Node) -> str:
    """The type of a value, without its rules."""
    if isinstance(node, Items):
        return f"[]{shape(node.item)}"
    if isinstance(node, Map):
        return f"map of {shape(node.item)}"
    if isinstance(node, Text):
        # Bytes are text in JSON, and times are checked alike.
        return {"bytes": "", "microtime": "time"}.get(node.format, node.format) or "text"
    if isinstance(node, Number):
        return f"number of {node.bits} bits"
    return "struct" if isinstance(node, Struct) else type(node).__name__


def inner(node: Node) -> Node:
    while isinstance(node, (Items, Map)):
        node = node.item
    return node


def differences(model: Struct, fact: Struct, seen: set[tuple[int, str]]) -> Iterator[str]:
    if (id(model), fact.name) in seen:
        return
    seen.add((id(model), fact.name))
    # The facts have apiVersion and kind only where they are fields like others.
    names = (model.fields.keys() - {"apiVersion", "kind"}) ^ (fact.fields.keys() - {"apiVersion", "kind"})
    yield from (f"{fact.name}.{name}: only on one side" for name in sorted(names))
    for name in model.fields.keys() & fact.fields.keys():
        left, right = model.fields[name].node, fact.fields[name].node
        if shape(left) != shape(right):
            yield f"{fact.name}.{name}: {shape(left)}, must be {shape(right)}"
        left, right = inner(left), inner(right)
        if isinstance(left, Struct) and isinstance(right, Struct):
            yield from differences(left, right, seen)


@pytest.mark.parametrize("resource", TYPED, ids=lambda resource: resource.kind)
def test_a_model_has_the_fields_and_types_of_its_kind(resource: Resource[Any]) -> None:
    assert isinstance(resource.schema, Typed)
    model = resource.schema.model
    group = resource.group.partition(".")[0] or "core"
    assert list(differences(struct_of(model), facts().struct(f"{group}.v1.{resource.kind}"), set())) == []


def test_shapes_tell_types_apart() -> None:
    nodes: list[Node] = [
        Text(),
        Text("time"),
        Text("quantity"),
        Number(32),
        Number(64),
        Flag(),
        NumberOrText(),
        Items(Text()),
        Map(Text()),
        Struct("S"),
    ]
    assert len({shape(node) for node in nodes}) == len(nodes)
