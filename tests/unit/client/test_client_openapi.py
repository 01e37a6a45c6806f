"""Schemas as the server publishes them: fields, types, and paths through them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from cli.objects.explain import explained
from client.discovery import Resource
from client.openapi import NoSchema, Schemas

TREE: Final = Resource("g/v1", "Tree", "trees", namespaced=True)
_INNER: Final = {"$ref": "#/components/schemas/a.b.Node"}
NAMED: Final[dict[str, Any]] = {
    "a.b.Tree": {
        "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "Tree"}],
        "properties": {"root": {"allOf": [_INNER], "description": "where it begins"}, "kind": {"type": "string"}},
        "required": ["root"],
    },
    "a.b.Node": {
        "description": "a node",
        "properties": {
            "children": {"type": "array", "items": {"allOf": [_INNER]}},
            "named": {"type": "object", "additionalProperties": _INNER},
            "lists": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
            "port": {"$ref": "#/components/schemas/a.b.Either"},
            "color": {"type": "string", "enum": ["Red", "Green"]},
        },
    },
    "a.b.Either": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("kind", "string"),
        ("root", "Node"),
        ("root.children", "[]Node"),
        ("root.children.named", "map[string]Node"),
        ("root.named.children.lists", "map[string][]string"),
        ("root.port", "integer or string"),
    ],
)
def test_a_path_leads_through_references_lists_and_maps(path: str, words: str) -> None:
    schemas = Schemas(NAMED)
    assert schemas.field(schemas.of(TREE), path.split(".")).type == words


def test_what_is_missing_is_named() -> None:
    schemas = Schemas(NAMED)
    with pytest.raises(NoSchema, match='no field "rot"; there are: kind, root'):
        schemas.field(schemas.of(TREE), ["rot"])
    with pytest.raises(NoSchema, match='no field "x"; there are: none'):
        schemas.field(schemas.of(TREE), ["kind", "x"])
    with pytest.raises(NoSchema, match="no schema of Bush"):
        schemas.of(Resource("g/v1", "Bush", "bushes", namespaced=True))


def test_an_explanation_lists_the_fields() -> None:
    assert list(explained(Schemas(NAMED), TREE, [], recursive=False)) == [
        "Tree (g/v1)",
        "",
        "fields:",
        "  kind  string",
        "  root  Node, required",
        "    where it begins",
    ]


def test_a_schema_that_contains_itself_is_explained_once() -> None:
    assert list(explained(Schemas(NAMED), TREE, ["root"], recursive=True)) == [
        "Tree (g/v1)",
        "root: Node, required",
        "",
        "where it begins",
        "",
        "fields:",
        "  children  []Node",
        "  color     string: Red, Green",
        "  lists     map[string][]string",
        "  named     map[string]Node",
        "  port      integer or string",
    ]
