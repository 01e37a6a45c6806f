"""Sets the declared defaults of a typed model. Defaults that depend on other fields are in the strategies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from master.schema.perstruct import PerStruct, late_value
from master.schema.tree import Items, Map, Node, Struct

# Returns the value itself if nothing is to be set.
Default = Callable[[Any], Any]


class Defaults:
    """The functions that set the defaults of types. Made once for each type."""

    def __init__(self) -> None:
        self._structs: PerStruct[Default] = PerStruct(self._of_struct, late_value)

    def of(self, node: Node) -> Default | None:
        """The function for values of a type. None if no field below the type has a default."""
        if isinstance(node, Items):
            return self._of_items(self.of(node.item))
        if isinstance(node, Map):
            return self._of_map(self.of(node.item))
        return self._structs.of(node) if isinstance(node, Struct) else None

    def _of_struct(self, struct: Struct) -> Default | None:
        plan = [
            (field.attribute, field.default, field.zero_is_missing, inner)
            for field in struct.fields.values()
            if (inner := self.of(field.node)) is not None or field.default is not None
        ]
        if not plan:
            return None

        def apply(obj: Any) -> Any:
            changed: dict[str, Any] = {}
            for key, default, zero_is_missing, inner in plan:
                value = getattr(obj, key)
                if value is None or (zero_is_missing and not value):
                    if default is not None:
                        # A default may be an object with defaults of its own.
                        changed[key] = default if inner is None else inner(default)
                elif inner is not None:
                    new = inner(value)
                    if new is not value:
                        changed[key] = new
            return replace(obj, **changed) if changed else obj

        return apply

    def _of_items(self, inner: Default | None) -> Default | None:
        if inner is None:
            return None

        def apply(values: Any) -> Any:
            new = [None if value is None else inner(value) for value in values]
            return values if all(map(_identical, new, values)) else tuple(new)

        return apply

    def _of_map(self, inner: Default | None) -> Default | None:
        if inner is None:
            return None

        def apply(values: Any) -> Any:
            new = {key: None if value is None else inner(value) for key, value in values.items()}
            return values if all(map(_identical, new.values(), values.values())) else new

        return apply


def _identical(new: Any, old: Any) -> bool:
    return new is old
