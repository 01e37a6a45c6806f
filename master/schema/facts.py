"""The types of the Kubernetes API as data: reads `kubernetes.json` into trees of types.

The file has what cannot be written in other words: names and types of fields, their numbers in protobuf, how lists are
merged, which fields are required, what happens to empty values, and the values of string types. A field is one line of
text, such as `[]core.v1.ContainerPort 6 list=map keys=containerPort,protocol patch=merge merge=containerPort`. Rules
and descriptions are not in it: models and the files of the kinds have them.

Empty values: Kubernetes drops most of them, as its programs cannot tell `[]` from a missing list. `pointer` marks a
field that keeps them, such as a `minAvailable` of 0; `always` one that is written even if it is missing, with its zero
value; `nil` one that keeps them and is null if it is missing. `zero` marks a field whose zero in protobuf is a value.

The file is read when a type is first asked for, and each type is decoded when it is first used.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from master.schema.tree import (
    Anything,
    Embedded,
    Field,
    Flag,
    Items,
    Map,
    Node,
    Number,
    NumberOrText,
    Struct,
    Text,
    Union,
)

_FILE: Final = Path(__file__).with_name("kubernetes.json")
_SCALARS: Final[dict[str, Node]] = {
    "string": Text(),
    "bytes": Text("bytes"),
    "Time": Text("time"),
    "MicroTime": Text("microtime"),
    "Quantity": Text("quantity"),
    "int32": Number(32),
    "int64": Number(64),
    "double": Number(0),
    "bool": Flag(),
    "IntOrString": NumberOrText(),
    "JSON": Anything(name="apiextensions.v1.JSON"),
    "RawExtension": Anything(name="runtime.RawExtension"),
    "FieldsV1": Anything(name="meta.v1.FieldsV1"),
    # In JSON, one of several types without a common form.
    "apiextensions.v1.JSONSchemaPropsOrArray": Anything(name="apiextensions.v1.JSONSchemaPropsOrArray"),
    "apiextensions.v1.JSONSchemaPropsOrBool": Anything(name="apiextensions.v1.JSONSchemaPropsOrBool"),
    "apiextensions.v1.JSONSchemaPropsOrStringArray": Anything(name="apiextensions.v1.JSONSchemaPropsOrStringArray"),
}
_MAP: Final = "map[string]"


class _Type(msgspec.Struct, frozen=True):
    fields: dict[str, str]
    atomic: bool = False
    embeds: tuple[Embedded, ...] = ()
    unions: tuple[Union, ...] = ()


class _File(msgspec.Struct, frozen=True):
    version: str
    types: dict[str, msgspec.Raw]
    kinds: dict[str, str]
    enums: dict[str, tuple[str, ...]]


class Facts:
    """All types of one version of the Kubernetes API. Types that are asked for again are the same Struct."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError for content that is not a file of facts."""
        self._file = msgspec.json.decode(content, type=_File)
        self._decoder = msgspec.json.Decoder(_Type)
        self._structs: dict[str, Struct] = {}
        # Types that fields refer to, and that the file does not have: their values can be anything.
        self.missing: set[str] = set()

    @property
    def version(self) -> str:
        """The version of Kubernetes: major and minor."""
        return self._file.version

    @property
    def types(self) -> tuple[str, ...]:
        """The names of all types, such as `core.v1.Pod`."""
        return tuple(self._file.types)

    @property
    def kinds(self) -> dict[str, str]:
        """The types of the kinds by group, version and kind: `scheduling.k8s.io/v1/PriorityClass`, `/v1/Pod`."""
        return self._file.kinds

    def struct(self, name: str) -> Struct:
        """The tree of a type. Raises KeyError for an unknown name."""
        known = self._structs.get(name)
        if known is not None:
            return known
        declared = self._decoder.decode(self._file.types[name])
        # Before its fields, because a type may contain itself.
        struct = self._structs[name] = Struct(
            name, atomic=declared.atomic, embedded=declared.embeds, unions=declared.unions
        )
        struct.fields = {field: self._field(field, text) for field, text in declared.fields.items()}
        return struct

    def choices(self, enum: str) -> tuple[str, ...]:
        """The values of a string type, such as `core/v1.RestartPolicy`. Raises KeyError for an unknown name."""
        return self._file.enums[enum]

    def of_kind(self, kind: str) -> str:
        """The type of a kind. Empty if there is none of this name, or more than one."""
        names = [name for key, name in self._file.kinds.items() if key.rpartition("/")[2] == kind]
        return names[0] if len(names) == 1 else ""

    def _field(self, name: str, text: str) -> Field:
        type_, *rest = text.split()
        number = int(rest.pop(0)) if rest and rest[0].isdigit() else 0
        options = dict(option.partition("=")[::2] for option in rest)
        node = self._node(type_, options)
        default: Any = msgspec.json.decode(options["default"]) if "default" in options else None
        return Field(
            name,
            node,
            attribute=name,
            required="required" in options,
            default=default,
            zero_is_missing=options.keys().isdisjoint(("pointer", "nil")),
            drops_empty=options.keys().isdisjoint(("pointer", "nil")),
            zero_value=_zero(node) if "always" in options else None,
            null_if_missing="nil" in options or ("always" in options and _zero(node) is None),
            number=number,
            zero="zero" in options,
            patch=options.get("patch", ""),
            atomic=options["map"] == "atomic" if "map" in options else None,
        )

    def _node(self, type_: str, options: dict[str, str]) -> Node:
        if type_.startswith("[]"):
            keys = tuple(options["keys"].split(",")) if "keys" in options else ()
            item = self._node(type_[2:], {})
            return Items(item, options.get("list", "atomic"), keys, options.get("merge", ""))
        if type_.startswith(_MAP):
            return Map(self._node(type_.removeprefix(_MAP), {}))
        scalar = _SCALARS.get(type_)
        if scalar is not None:
            return scalar
        if type_ not in self._file.types:
            self.missing.add(type_)
            return Anything()
        return self.struct(type_)


def _zero(node: Node) -> Any:
    """What Kubernetes writes for a value that is missing. None: null."""
    if isinstance(node, Struct):
        return {}
    if isinstance(node, Text):
        return {"": "", "quantity": "0"}.get(node.format)
    if isinstance(node, Number | NumberOrText):
        return 0
    return False if isinstance(node, Flag) else None


@cache
def facts() -> Facts:
    """The facts of the API that this release serves."""
    return Facts(_FILE.read_bytes())
