"""Sets of fields, as `fieldsV1` in managedFields has them. Immutable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from master.fieldmanager import elements
from master.fieldmanager.elements import MEMBER

Node = dict[str, Any]
"""What a set has below one field, by element; each value is a Node again.

It has the form of `fieldsV1`: an empty Node is a field that is owned, and `MEMBER` among the elements says that the
field is owned besides what is below it. Nodes are shared between sets, so they are never changed.
"""

_encode = msgspec.json.Encoder().encode
OWNED: Final[Node] = {}
"""A field that is owned, with nothing below it."""

Path = tuple[str, ...]
"""The elements from the object to a field."""


def with_member(node: Node) -> Node:
    """The node of the same fields and of the field itself."""
    return node if not node or MEMBER in node else {MEMBER: OWNED, **node}


def is_member(node: Node) -> bool:
    """Whether the field itself is owned."""
    return not node or MEMBER in node


def _made(member: bool, below: Node) -> Node | None:
    """The node of a field that is owned or not, and of fields below it. None if nothing is owned."""
    if not below:
        return OWNED if member else None
    return {MEMBER: OWNED, **below} if member else below


class FieldSet:
    """A set of fields of one object. The object itself is never a member."""

    __slots__ = ("_json", "_node")

    def __init__(self, node: Node | None, json: bytes = b"") -> None:
        """`json`: the text of the set, if it is known. Then the node may be None: it is decoded when it is needed."""
        self._node = node
        self._json = json

    @property
    def node(self) -> Node:
        """The elements below the object."""
        if self._node is None:
            self._node = msgspec.json.decode(self._json, type=dict[str, Any])
        return self._node

    @classmethod
    def read(cls, text: bytes) -> FieldSet:
        """The set of `fieldsV1`, from any client. Raises ValueError. Elements of unknown forms are left out."""
        if not text:
            return EMPTY
        node = msgspec.json.decode(text, type=dict[str, Any])
        below = _checked(node)
        below.pop(MEMBER, None)
        return cls(below)

    @classmethod
    def stored(cls, text: bytes) -> FieldSet:
        """The set of `fieldsV1` that `json` has written."""
        return cls(None, text) if text else EMPTY

    @classmethod
    def of(cls, *paths: Path) -> FieldSet:
        """The set of these paths."""
        result = EMPTY
        for path in paths:
            node: Node = OWNED
            for element in reversed(path):
                node = {element: node}
            result = result | cls(node)
        return result

    def json(self) -> bytes:
        """The text of the set as Kubernetes writes it."""
        if not self._json:
            self._json = _encode(_ordered(self.node))
        return self._json

    def __bool__(self) -> bool:
        return bool(self.node) if self._node is not None else self._json != b"{}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self.node == other.node

    def __hash__(self) -> int:
        return hash(self.json())

    def __repr__(self) -> str:
        return f"FieldSet({self.json().decode()})"

    def __or__(self, other: FieldSet) -> FieldSet:
        """The fields that are in one of the sets."""
        if not self or not other:
            return self or other
        node = _union(self.node, other.node)
        return self if node is self.node else FieldSet(node)

    def _mentions(self, other: FieldSet) -> bool:
        """Whether the sets may have something in common. This is quick for a set that is not decoded yet."""
        if self._node is not None:
            return True
        return any(_encode(element) in self._json for element in other.node)

    def __and__(self, other: FieldSet) -> FieldSet:
        """The fields that are in both sets."""
        if not other or not self._mentions(other):
            return EMPTY
        return FieldSet(_intersection(self.node, other.node))

    def __sub__(self, other: FieldSet) -> FieldSet:
        """The fields that are not in the other set. A field stays if only one above or below it is in the other set."""
        if not other or not self._mentions(other):
            return self
        node = _difference(self.node, other.node, deep=False)
        return self if node is self.node else FieldSet(node)

    def without(self, other: FieldSet) -> FieldSet:
        """The fields that are neither in the other set, nor below one that is."""
        node = _difference(self.node, other.node, deep=True)
        return self if node is self.node else FieldSet(node)

    def contains(self, path: Path) -> bool:
        """Whether the field is in the set."""
        node: Node | None = self.node
        for element in path:
            node = node.get(element) if node is not None else None
        return bool(path) and node is not None and is_member(node)

    def paths(self) -> Iterator[Path]:
        """All fields, in the order of Kubernetes: of each level the fields, then those below them."""
        yield from _paths(self.node, ())


EMPTY: Final = FieldSet(OWNED)


def _checked(node: Node) -> Node:
    """The node with canonical elements. Raises ValueError."""
    result: Node = {}
    for element, below in node.items():
        if element == MEMBER:
            result[MEMBER] = OWNED
            continue
        if not isinstance(below, dict):
            raise ValueError(f"the fields of {element!r} are not an object")
        if known := elements.canonical(element):
            inner = _checked(below)
            result[known] = OWNED if inner.keys() <= {MEMBER} else inner
    return result


def _ordered(node: Node) -> Node:
    """The node with its elements in order."""
    names = sorted(node)
    if names and names[-1] >= "g":
        names.sort(key=elements.rank)
    return {name: _ordered(below) if (below := node[name]) else below for name in names}


def _union(one: Node, other: Node) -> Node:
    """The same node as `one` if `other` adds nothing."""
    if one is other:
        return one
    changed: Node = {}
    for element, theirs in other.items():
        ours = one.get(element)
        if ours is None:
            changed[element] = theirs
        elif ours is not theirs:
            # A field that is owned alone gets a member mark as soon as something is below it.
            both = with_member(ours) if not theirs else with_member(theirs) if not ours else _union(ours, theirs)
            if both is not ours:
                changed[element] = both
    return {**one, **changed} if changed else one


def _intersection(one: Node, other: Node) -> Node:
    result: Node = {}
    for element, ours in one.items():
        theirs = other.get(element)
        if element == MEMBER or theirs is None:
            continue
        both = _made(is_member(ours) and is_member(theirs), _intersection(ours, theirs))
        if both is not None:
            result[element] = both
    return result


def _difference(one: Node, other: Node, *, deep: bool) -> Node:
    """The same node as `one` if nothing is taken away. The member marks of the two nodes themselves do not count."""
    changed: dict[str, Node | None] = {}
    for element, theirs in other.items():
        ours = one.get(element)
        if element == MEMBER or ours is None:
            continue
        taken = is_member(theirs)
        if taken and deep:
            changed[element] = None
            continue
        below = _difference(ours, theirs, deep=deep)
        if below is ours and not (taken and is_member(ours)):
            continue
        member = is_member(ours) and not taken
        changed[element] = _made(member, {name: node for name, node in below.items() if name != MEMBER})
    if not changed:
        return one
    merged = {element: changed.get(element, node) for element, node in one.items()}
    return {element: node for element, node in merged.items() if node is not None}


def _paths(node: Node, at: Path) -> Iterator[Path]:
    names = [element for element in sorted(node, key=elements.rank) if element != MEMBER]
    for element in names:
        if is_member(node[element]):
            yield (*at, element)
    for element in names:
        yield from _paths(node[element], (*at, element))


def shown(path: Path) -> str:
    """The path as messages show it: `.spec.containers[name="web"].image`."""
    return "".join(map(elements.shown, path))
