"""Makes the shapes of types from their trees."""

from __future__ import annotations

from master.fieldmanager.lists import Listing
from master.fieldmanager.shapes import ANYHOW, ATOM, Record, Shape
from master.schema.tree import Field, Items, Map, Node, Number, Struct, Text


class Shapes:
    """Makes shapes, and makes each only once for each type."""

    def __init__(self) -> None:
        # By identity. The struct is kept, so that its identity is not given to another one.
        self._made: dict[int, tuple[Struct, Record]] = {}

    def of(self, struct: Struct) -> Record:
        """The shape of an object. The struct must be complete, as `Schema.full_tree` is."""
        made = self._made.get(id(struct))
        if made is not None:
            return made[1]
        fields: dict[str, Shape] = {}
        # Before its fields, because a type may contain itself.
        record = Record(fields, ANYHOW if struct.open else None)
        self._made[id(struct)] = struct, record
        for field in struct.fields.values():
            fields[field.name] = self._of_field(field)
        return record

    def _of_field(self, field: Field) -> Shape:
        if field.atomic:
            return ATOM
        return self._of(field.node, granular=field.atomic is False)

    def _of(self, node: Node, *, granular: bool = False) -> Shape:
        if isinstance(node, Struct):
            return ATOM if node.atomic and not granular else self.of(node)
        if isinstance(node, Map):
            return Record({}, self._of(node.item))
        if isinstance(node, Items) and node.kind in ("map", "set"):
            return Listing(self._of(node.item), _keys(node) if node.kind == "map" else None)
        return ATOM


def _keys(node: Items) -> dict[str, object]:
    """The keys of a list's items in alphabetical order, with their defaults."""
    fields = node.item.fields if isinstance(node.item, Struct) else {}
    return {name: _default(fields[name]) if name in fields else None for name in sorted(node.keys)}


def _default(field: Field) -> object:
    """The value of a missing key. Programs in Go always send required fields, so such a key is empty or 0."""
    if field.default is None and field.required:
        return 0 if isinstance(field.node, Number) else "" if isinstance(field.node, Text) else None
    return field.default
