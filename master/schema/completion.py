"""Adds to the tree of a typed model what its annotations do not say: protobuf numbers, merge keys, list types.

The facts of the Kubernetes API have them. Both trees are walked side by side, so only the outermost type needs a name.
"""

from __future__ import annotations

from dataclasses import replace

from master.schema.facts import Facts
from master.schema.tree import Anything, Field, Items, Map, Node, Struct, Text


def completed(struct: Struct, type_name: str, facts: Facts) -> Struct:
    """The tree of a model with the facts of this type. Fields that the type does not have stay as they are.

    Raises KeyError for an unknown type.
    """
    return _Completion().struct(struct, facts.struct(type_name))


class _Completion:
    def __init__(self) -> None:
        # A model may be used for several types, and contain itself.
        self._made: dict[tuple[int, str], Struct] = {}

    def struct(self, struct: Struct, fact: Struct) -> Struct:
        key = (id(struct), fact.name)
        if key not in self._made:
            made = self._made[key] = Struct(
                fact.name,
                open=struct.open,
                one_of=struct.one_of,
                atomic=fact.atomic,
                embedded=fact.embedded,
                unions=fact.unions,
                rules=struct.rules,
                description=struct.description,
            )
            made.fields = {
                name: self._field(field, fact.fields[name]) if name in fact.fields else field
                for name, field in struct.fields.items()
            }
        return self._made[key]

    def _field(self, field: Field, fact: Field) -> Field:
        node = self._node(field.node, fact.node)
        default = fact.default if field.default is None else field.default
        return replace(
            field,
            node=node,
            default=default,
            number=fact.number,
            zero=fact.zero,
            patch=fact.patch,
            atomic=fact.atomic,
        )

    def _node(self, node: Node, fact: Node) -> Node:
        if isinstance(node, Struct) and isinstance(fact, Struct):
            return self.struct(node, fact)
        if isinstance(node, Items) and isinstance(fact, Items):
            return Items(self._node(node.item, fact.item), fact.kind, fact.keys, fact.merge_key, node.rules)
        if isinstance(node, Map) and isinstance(fact, Map):
            return Map(self._node(node.item, fact.item), node.rules)
        if isinstance(node, Text) and isinstance(fact, Text):
            return replace(node, format=fact.format)
        # Where a model keeps any JSON, the facts know its parts.
        return fact if _is_any(node) else node


def _is_any(node: Node) -> bool:
    return isinstance(node.item if isinstance(node, Map) else node, Anything)
