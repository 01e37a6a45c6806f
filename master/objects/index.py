"""Indexes: which values a stored object is found under, such as the uids of its owners or the node of a pod.

Owns the declaration (`Index`) and reading the values from the object's JSON, of which only the declared fields are
decoded. master/cache keeps the indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

_Tree = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index over one field. Compared by identity.

    `path`: the JSON names that lead to the field; `type`: what the field is decoded to; `values`: the index's values
    for that field, none of them twice. An object without the field has no values.
    """

    name: str
    path: tuple[str, ...]
    type: Any
    values: Callable[[Any], Iterable[str]]


class _Owner(msgspec.Struct, gc=False):
    uid: str = ""


def label_value(key: str, value: str) -> str:
    """The value under which `LABEL` has the objects with this label."""
    return f"{key}={value}"


def field_index(path: str) -> Index:
    """An index over a field that is a text, such as `spec.nodeName`. Objects where it is empty are left out."""
    return Index(path, tuple(path.split(".")), str, lambda text: (text,) if text else ())


OWNER: Final = Index(
    "owner",
    ("metadata", "ownerReferences"),
    tuple[_Owner, ...],
    lambda owners: {owner.uid: None for owner in owners if owner.uid},
)
"""By the uids of the owners."""

LABEL: Final = Index(
    "label",
    ("metadata", "labels"),
    dict[str, str],
    lambda labels: [label_value(key, value) for key, value in labels.items()],
)
"""By each label, as `label_value` writes it."""

SELECTOR: Final = Index(
    "selector",
    ("spec", "selector"),
    dict[str, str],
    lambda selector: [label_value(*min(selector.items()))] if selector else (),
)
"""Services and controllers by one label of their equality selector. What they select has this label and all others."""

ANY_LABELS: Final = "*"
"""The value in LABEL_SELECTOR of the selectors that require no certain label."""


class _Condition(msgspec.Struct, gc=False):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class _Selector(msgspec.Struct, gc=False, rename="camel"):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[_Condition, ...] = ()


def _required_label(selector: _Selector) -> Iterable[str]:
    """One label that all selected objects have, or several of which they have one."""
    if selector.match_labels:
        return [label_value(*min(selector.match_labels.items()))]
    for condition in selector.match_expressions:
        if condition.operator == "In":
            return {label_value(condition.key, value): None for value in condition.values}
    return [ANY_LABELS]


LABEL_SELECTOR: Final = Index("labelSelector", ("spec", "selector"), _Selector, _required_label)
"""The same for selectors with expressions, such as those of deployments. What they select has one of these labels."""

NODE: Final = field_index("spec.nodeName")
"""Pods by the name of their node."""


class IndexReader:
    """Reads the values of a kind's indexes from an object's JSON."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = tuple(indexes)
        tree: _Tree = {}
        chains = [_plant(tree, index) for index in indexes]
        self._fields = [(chain, index.values) for chain, index in zip(chains, indexes, strict=True)]
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct(tree))

    def read(self, raw: bytes) -> tuple[tuple[str, ...], ...]:
        """The values of each index, in the order of the indexes.

        A field of another type than declared has no values. Raises ValueError when `raw` is not a JSON object.
        """
        try:
            head = self._decoder.decode(raw)
        except msgspec.ValidationError:
            return self._read_leniently(raw)
        result = []
        for chain, values in self._fields:
            field = head
            for attribute in chain:
                field = getattr(field, attribute)
                if field is None:
                    break
            result.append(() if field is None else tuple(values(field)))
        return tuple(result)

    def _read_leniently(self, raw: bytes) -> tuple[tuple[str, ...], ...]:
        whole = msgspec.json.decode(raw, type=dict[str, Any])
        return tuple(_values(whole, index) for index in self._indexes)


def _values(value: Any, index: Index) -> tuple[str, ...]:
    for name in index.path:
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return tuple(index.values(msgspec.convert(value, index.type)))
    except msgspec.ValidationError:
        return ()


def _plant(tree: _Tree, index: Index) -> list[str]:
    """Adds the index's field to the tree of fields. Returns the attributes that lead to it in the decoded struct."""
    for name in index.path[:-1]:
        tree = tree.setdefault(name, {})
    tree[index.path[-1]] = index.type
    return [_attribute(name) for name in index.path]


def _struct(tree: _Tree) -> type[msgspec.Struct]:
    """A struct with exactly the fields of the tree, each of them optional."""
    types = {name: _struct(type_) if isinstance(type_, dict) else type_ for name, type_ in tree.items()}
    fields = [(_attribute(name), type_ | None, None) for name, type_ in types.items()]
    return msgspec.defstruct("Head", fields, rename={_attribute(name): name for name in tree}, gc=False)


def _attribute(name: str) -> str:
    """A Python name for any JSON name: `nodeName`, but also `x-y`."""
    return f"f_{name.encode().hex()}"
