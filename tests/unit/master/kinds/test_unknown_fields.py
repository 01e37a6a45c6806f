"""A misspelled field is found wherever it is, in every kind and version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from master.kinds import ALL
from master.registry.resource import Resource, Version
from master.schema.pruning import UnknownField
from master.schema.tree import Items, Map, Node, Struct

Place = tuple[str, Any]
VERSIONS = [(kind, version) for kind in ALL for version in kind.versions]


def places(node: Node, outer: tuple[Struct, ...] = ()) -> Iterator[Place]:
    """The paths of the unknown field in all objects below a type, each with a value that has it there."""
    if isinstance(node, Items):
        yield from ((f"[0]{path}", [value]) for path, value in places(node.item, outer))
    elif isinstance(node, Map):
        yield from ((f"[k]{path}", {"k": value}) for path, value in places(node.item, outer))
    elif isinstance(node, Struct) and node not in outer:
        yield ".noSuchField", {"noSuchField": 1}
        for name, field in node.fields.items():
            for path, value in places(field.node, (*outer, node)):
                yield f".{name}{path}", {name: value}


@pytest.mark.parametrize(("kind", "version"), VERSIONS, ids=lambda item: getattr(item, "resource", item))
def test_a_misspelled_field_is_found(kind: Resource[Any], version: Version) -> None:
    schema = version.schema
    for path, value in places(schema.tree):
        unknown: list[UnknownField] = []
        schema.read({"metadata": {"name": "x"}, **value}, unknown)
        assert [field.path for field in unknown] == [path.removeprefix(".")]
