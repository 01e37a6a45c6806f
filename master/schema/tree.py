"""The tree of types of an object: one node for each type, with the rules of its values.

It is the single source of decoding, pruning, defaults and declared checks, and of everything else that depends on
types. It is built from typed models (models.py), from data (facts.py) or from the schema of a custom resource
(openapi.py). Types may refer to themselves, so a Struct gets its fields after it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Rules:
    """What a value must be, besides its type. Empty, None and False: no rule."""

    # One of these values: texts, but numbers or booleans in the schema of a custom resource.
    choice: tuple[Any, ...] = ()
    # A number in this range, both ends included.
    within: tuple[float, float] | None = None
    # Text in this form, unless it is empty: a function in names.py. For a map: its keys. For a struct: a function in
    # shapes.py, which gets the object.
    form: str = ""
    # A regular expression that text must match somewhere (custom resources).
    pattern: str = ""
    # The least and most characters of text or items of a list or map. None: no limit.
    least_size: int | None = None
    most_size: int | None = None
    # No item of a list occurs twice (`*`), or no two items have the same value of this field.
    unique: str = ""
    # null is a value of its own, which is stored (custom resources). Elsewhere it means that the field is not set.
    nullable: bool = False

    def __bool__(self) -> bool:
        return self != _NO_RULES


_NO_RULES: Final = Rules()


@dataclass(frozen=True, slots=True)
class Text:
    """A string. `format`: empty, `time` or `microtime` (RFC 3339), `bytes` (base64), or `quantity`, which may also be
    sent as a number.
    """

    format: str = ""
    rules: Rules = _NO_RULES


@dataclass(frozen=True, slots=True)
class Number:
    """A number. `bits`: 32 or 64 for integers; 0 for a number with a fraction."""

    bits: int = 64
    rules: Rules = _NO_RULES


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    rules: Rules = _NO_RULES


@dataclass(frozen=True, slots=True)
class NumberOrText:
    """An integer of 32 bits or a string: a port, or a number of pods in percent."""

    number: Number = Number(32)
    text: Text = Text()
    rules: Rules = _NO_RULES


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value. It is stored as it is. `name`: that of its type in the facts, if it has one."""

    rules: Rules = _NO_RULES
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `kind`: atomic, set or map (as `x-kubernetes-list-type`); `keys`: the fields that identify an item of a
    map; `merge_key`: the one that a strategic merge patch uses, empty if such a patch replaces the list.
    """

    item: Node
    kind: str = "atomic"
    keys: tuple[str, ...] = ()
    merge_key: str = ""
    rules: Rules = _NO_RULES


@dataclass(frozen=True, slots=True)
class Map:
    """An object with any keys, whose values have one type."""

    item: Node
    rules: Rules = _NO_RULES


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct.

    `attribute` is its name in the typed model. `default` is set on every write where the field is missing, and with
    `zero_is_missing` also where it is empty or 0; None: no default. `empty_is_value`: an empty text fills a required
    field and must obey the rules (custom resources). `filled`: an empty list or map does not fill a required field;
    lists and maps of built-in kinds are checked for being there only with it. `drops_empty`, `zero_value` and
    `null_if_missing` say how empty values are stored, see facts.py. `number` is its number in protobuf, 0 if unknown.
    `zero`: an empty text, 0 or false in protobuf is a value; of other fields it means that the field is not set.
    `patch` is the strategy of a strategic merge patch, such as `merge,retainKeys`. `atomic`: whether one manager owns
    the whole value in server-side apply; None: as its type says. `immutable`: an update may not change the field.
    `inert`: what the field would do, if it has no effect yet; `effective`: values, or keys of a map, that need no
    warning all the same. `refused`: what the field would do, if it is refused; `refused_values`: only these values are.
    """

    name: str
    node: Node
    attribute: str = ""
    required: bool = False
    default: Any = None
    zero_is_missing: bool = False
    empty_is_value: bool = False
    filled: bool = False
    drops_empty: bool = False
    zero_value: Any = None
    null_if_missing: bool = False
    number: int = 0
    zero: bool = False
    patch: str = ""
    atomic: bool | None = None
    immutable: bool = False
    inert: str = ""
    effective: tuple[Any, ...] = ()
    refused: str = ""
    refused_values: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A message of protobuf in which some fields of a struct are, although JSON has them in the struct itself.

    `number`: that of the message in the struct's own; `fields`: the numbers of the fields in the message.
    """

    message: str
    number: int
    fields: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Union:
    """Fields of which at most one is set. `discriminator`: the field that names it, if there is one.

    `fields`: their values of the discriminator.
    """

    discriminator: str
    fields: Mapping[str, str]


@dataclass(slots=True, eq=False)
class Struct:
    """An object with known fields. `open`: unknown fields are kept (a custom resource may ask for it).

    `one_of`: fields of which exactly one must be set, if there are any. `atomic`: one manager owns the whole object in
    server-side apply. The fields in `embedded` have no number of their own.
    """

    name: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    open: bool = False
    one_of: tuple[str, ...] = ()
    atomic: bool = False
    embedded: tuple[Embedded, ...] = ()
    unions: tuple[Union, ...] = ()
    rules: Rules = _NO_RULES
    description: str = ""

    def __repr__(self) -> str:
        return f"Struct({self.name})"


Node = Text | Number | Flag | NumberOrText | Anything | Items | Map | Struct


@dataclass(frozen=True, slots=True)
class Place:
    """One field in a tree: its path, such as `spec.containers[].image`, and its declaration."""

    path: str
    field: Field


def places(struct: Struct) -> Iterator[Place]:
    """All fields below a struct, each struct once on a path (types that contain themselves are not repeated)."""
    yield from _places(struct, "", ())


def _places(node: Node, at: str, outer: tuple[Struct, ...]) -> Iterator[Place]:
    if isinstance(node, Items):
        yield from _places(node.item, f"{at}[]", outer)
    elif isinstance(node, Map):
        yield from _places(node.item, f"{at}{{}}", outer)
    elif isinstance(node, Struct) and node not in outer:
        for part in node.fields.values():
            path = f"{at}.{part.name}" if at else part.name
            yield Place(path, part)
            yield from _places(part.node, path, (*outer, node))
