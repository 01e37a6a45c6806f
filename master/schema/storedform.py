"""Gives the JSON of an object its stored form: with declared defaults, and with empty values as Kubernetes has them.

This is for objects that are only data. Typed models have defaults of their own (defaulting.py). The form of empty
values matters to clients that compare what they sent with what they read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from master.schema import quantity
from master.schema.perstruct import PerStruct, late_value
from master.schema.tree import Field, Items, Map, Node, Struct, Text

Form = Callable[[Any], Any]


class StoredForms:
    """The functions that give values of types their stored form. Made once for each type."""

    def __init__(self) -> None:
        self._structs: PerStruct[Form] = PerStruct(self._of_struct, late_value)

    def of(self, node: Node) -> Form | None:
        """The function for values of a type. None if all values are stored as they are."""
        if isinstance(node, Items):
            inner = self.of(node.item)
            return None if inner is None else lambda values: [inner(value) for value in values]
        if isinstance(node, Map):
            return self._of_map(node)
        if isinstance(node, Text):
            return _canonical if node.format == "quantity" else None
        return self._structs.of(node) if isinstance(node, Struct) else None

    def _of_struct(self, struct: Struct) -> Form | None:
        fields = struct.fields.values()
        inner = {field.name: own for field in fields if (own := self.of(field.node)) is not None}
        drops = frozenset(field.name for field in fields if field.drops_empty)
        keeps_null = frozenset(field.name for field in fields if field.node.rules.nullable)
        missing = [_missing(field) for field in fields if _has_missing(field)]
        if not inner and not drops and not missing:
            return None

        def form(obj: Any) -> Any:
            new: dict[str, Any] = {}
            for name, value in obj.items():
                if value is not None:
                    own = inner.get(name)
                    value = value if own is None else own(value)
                    if not value and name in drops:
                        continue
                elif name not in keeps_null:
                    continue
                new[name] = value
            for name, value, zero_is_missing in missing:
                if name not in new or (zero_is_missing and not new[name]):
                    own = inner.get(name)
                    new[name] = value if own is None or value is None else own(value)
            return new

        return form

    def _of_map(self, node: Map) -> Form | None:
        # A map of quantities is a list of resources, whose amounts have thousandths at most.
        is_list = isinstance(node.item, Text) and node.item.format == "quantity"
        inner = _canonical_resource if is_list else self.of(node.item)
        if inner is None:
            return None
        return lambda values: {key: None if value is None else inner(value) for key, value in values.items()}


def _has_missing(field: Field) -> bool:
    return field.default is not None or field.zero_value is not None or field.null_if_missing


def _missing(field: Field) -> tuple[str, Any, bool]:
    """The field's name, the value that it gets if it is missing, and whether it also gets that if it is empty."""
    default = field.zero_value if field.default is None else field.default
    return field.name, default, field.zero_is_missing and field.default is not None


def _canonical(text: str) -> str:
    """The stored form of a quantity. Text that is not a quantity stays, so that validation reports it."""
    try:
        return quantity.canonical(text)
    except ValueError:
        return text


def _canonical_resource(text: str) -> str:
    try:
        return quantity.canonical_resource(text)
    except ValueError:
        return text
