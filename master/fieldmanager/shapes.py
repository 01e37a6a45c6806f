"""Shapes: how the values of a type are divided into fields that can have different owners.

A type's tree (master/schema/tree.py) says it: an object is divided into its fields, a list that is a map or a set into
its items, and everything that is atomic has one owner. A shape finds the fields of a value, compares two values, merges
a configuration into a value and removes fields. Values are JSON and are never changed; unchanged parts are shared.

Source of the rules: "Server-Side Apply" in the Kubernetes documentation, and the behaviour of the library
structured-merge-diff, with which the tests compare.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from master.fieldmanager.comparison import Differences
from master.fieldmanager.fieldset import OWNED, Node, Path, is_member, with_member


class BadItem(Exception):
    """A list has an item that cannot be distinguished from others. `path`: the list, as far as it is known."""

    def __init__(self, why: str, path: Path = ()) -> None:
        super().__init__(why)
        self.why = why
        self.path = path

    def below(self, element: str) -> BadItem:
        """The same problem, seen from one level higher."""
        return BadItem(self.why, (element, *self.path))


class Shape(Protocol):
    """The shape of a type's values."""

    def named(self, value: Any, *, unique: bool = False) -> Node | None:
        """The fields that a configuration with this value names. None if it names none.

        With `unique`, raises BadItem if a list has two items with the same keys.
        """
        ...

    def all(self, value: Any) -> Node:
        """The fields of a value that is new, or that has gone: also those that contain others."""
        ...

    def compare(self, old: Any, new: Any, element: str, differences: Differences) -> None:
        """Adds the differences of two values that are not equal. `element`: the field of the values."""
        ...

    def merge(self, live: Any, applied: Any) -> Any:
        """The live value with those of the configuration; the live value itself if they change nothing.

        The two are not equal. Raises BadItem.
        """
        ...

    def remove(self, value: Any, fields: Node) -> Any:
        """The value without these fields. None if nothing is left."""
        ...

    def spelled(self, fields: Node) -> Node:
        """The fields, and those that contain them and that have a name in the type."""
        ...


class Atom:
    """A value with one owner: text, a number, or whatever is atomic."""

    def named(self, value: Any, *, unique: bool = False) -> Node | None:
        return OWNED

    def all(self, value: Any) -> Node:
        return OWNED

    def compare(self, old: Any, new: Any, element: str, differences: Differences) -> None:
        differences.modified[element] = OWNED

    def merge(self, live: Any, applied: Any) -> Any:
        return applied

    def remove(self, value: Any, fields: Node) -> Any:
        # Something below an atomic value can only be in a set from before the type became atomic.
        return None if isinstance(value, dict | list) else value

    def spelled(self, fields: Node) -> Node:
        return fields


ATOM: Final = Atom()


class Record:
    """An object. `fields`: the shapes of the fields that the type names; `rest`: that of all others.

    `rest` is None if the type has no others: such a field in a value is ignored.
    """

    __slots__ = ("_atoms", "fields", "rest")

    def __init__(self, fields: dict[str, Shape], rest: Shape | None) -> None:
        self.fields = fields
        self.rest = rest
        self._atoms: frozenset[str] | None = None

    @property
    def atoms(self) -> frozenset[str]:
        """The names of the fields whose values have one owner."""
        if self._atoms is None:
            self._atoms = frozenset(name for name, shape in self.fields.items() if shape is ATOM)
        return self._atoms

    def _shape(self, name: str) -> Shape:
        return self.fields.get(name) or self.rest or ATOM

    def named(self, value: Any, *, unique: bool = False) -> Node | None:
        if not value:
            return OWNED
        result: Node = {}
        fields, rest = self.fields, self.rest
        name = ""
        try:
            for name, inner in value.items():
                shape = fields.get(name)
                if shape is ATOM:
                    # Most fields are. This spares a call for each.
                    result[f"f:{name}"] = OWNED
                elif shape is not None:
                    node = shape.named(inner, unique=unique)
                    if node is not None:
                        result[f"f:{name}"] = node
                elif rest is not None:
                    # The client that sets a key of a map owns the key too.
                    result[f"f:{name}"] = with_member(rest.named(inner, unique=unique) or OWNED)
        except BadItem as bad:
            raise bad.below(f"f:{name}") from None
        return result or None

    def all(self, value: Any) -> Node:
        if not value:
            return OWNED
        result: Node = {".": OWNED}
        for name, inner in value.items():
            shape = self.fields.get(name) or self.rest
            if shape is ATOM:
                result[f"f:{name}"] = OWNED
            elif shape is not None:
                result[f"f:{name}"] = shape.all(inner)
        return result

    def compare(self, old: Any, new: Any, element: str, differences: Differences) -> None:
        if not old and not new:
            differences.modify(element)
            return
        below = Differences()
        self.compare_fields(old or {}, new or {}, below)
        differences.enter(element, below)

    def compare_fields(self, old: Any, new: Any, differences: Differences) -> None:
        """Compares two objects field by field."""
        for name, after in new.items():
            if name not in old:
                differences.added[f"f:{name}"] = self._shape(name).all(after)
                continue
            before = old[name]
            if before is not after and before != after:
                self._shape(name).compare(before, after, f"f:{name}", differences)
        for name, before in old.items():
            if name not in new:
                differences.removed[f"f:{name}"] = self._shape(name).all(before)

    def merge(self, live: Any, applied: Any) -> Any:
        if not live or not applied:
            return live or applied
        changed: dict[str, Any] = {}
        for name, value in applied.items():
            if name not in live:
                changed[name] = value
                continue
            before = live[name]
            if before is not value and before != value:
                after = self._shape(name).merge(before, value)
                if after is not before:
                    changed[name] = after
        return {**live, **changed} if changed else live

    def remove(self, value: Any, fields: Node) -> Any:
        if not value:
            return None
        result: dict[str, Any] = {}
        for name, inner in value.items():
            node = fields.get(f"f:{name}")
            if node is None:
                result[name] = inner
            elif not is_member(node):
                result[name] = self._shape(name).remove(inner, node)
        return result or None

    def spelled(self, fields: Node) -> Node:
        result: Node = {}
        for element, node in fields.items():
            if node and element != ".":
                name = element[2:]
                shape = self.fields.get(name) or self.rest
                node = shape.spelled(node) if shape is not None else node
                if name in self.fields:
                    node = with_member(node)
            result[element] = node
        return result


class Anyhow:
    """A value of an unknown type: objects are divided into their fields, all other values are atomic."""

    def __init__(self) -> None:
        self._object = Record({}, self)

    def _of(self, *values: Any) -> Shape:
        return self._object if all(isinstance(value, dict) for value in values) else ATOM

    def named(self, value: Any, *, unique: bool = False) -> Node | None:
        return self._of(value).named(value, unique=unique)

    def all(self, value: Any) -> Node:
        return self._of(value).all(value)

    def compare(self, old: Any, new: Any, element: str, differences: Differences) -> None:
        self._of(old, new).compare(old, new, element, differences)

    def merge(self, live: Any, applied: Any) -> Any:
        return self._of(live, applied).merge(live, applied)

    def remove(self, value: Any, fields: Node) -> Any:
        return self._of(value).remove(value, fields)

    def spelled(self, fields: Node) -> Node:
        return fields


ANYHOW: Final = Anyhow()
