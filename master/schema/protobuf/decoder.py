"""Makes of each type of the Kubernetes API a function that reads its messages.

The functions are made once. JSON has no field for a zero that means "not set", and neither has the result.
"""

from __future__ import annotations

from typing import Any, Final

from master.schema.depth import MAX_DEPTH, too_deep
from master.schema.facts import facts
from master.schema.protobuf import message, values
from master.schema.protobuf.message import Convert, Fill, Table
from master.schema.protobuf.values import Reader
from master.schema.protobuf.wire import BYTES, FIXED64, VARINT, Malformed, signed
from master.schema.tree import Anything, Embedded, Field, Flag, Items, Map, Node, Number, NumberOrText, Struct, Text

_TEXTS: Final[dict[str, Reader]] = {
    "": values.read_text,
    "bytes": values.read_bytes,
    "time": values.read_time,
    "microtime": values.read_microtime,
    "quantity": values.read_quantity,
}
# Types whose message is the text of some JSON.
_JSON: Final = ("apiextensions.v1.JSON", "runtime.RawExtension", "meta.v1.FieldsV1")
_SCHEMA: Final = "apiextensions.v1.JSONSchemaProps"


class Decoders:
    """The functions of all types that were asked for."""

    def __init__(self) -> None:
        self._fills: dict[Struct, Fill] = {}

    def decode(self, data: bytes, struct: Struct) -> dict[str, Any]:
        """The JSON value of a message. `struct`: its type, as the facts have it. Raises Malformed."""
        result: dict[str, Any] = {}
        try:
            self.fill(struct)(data, 0, len(data), result)
        except IndexError as error:
            raise Malformed("the message is cut off") from error
        except UnicodeDecodeError as error:
            raise Malformed("a text is not UTF-8") from error
        except RecursionError as error:
            raise Malformed(f"it is nested too deeply: more than {MAX_DEPTH} levels") from error
        # Only the JSON in a message and types that contain themselves can have many levels.
        levels = data.count(b"{") + data.count(b"[")
        if (levels > MAX_DEPTH or struct.name.startswith("apiextensions.")) and too_deep(result):
            raise Malformed(f"it is nested too deeply: more than {MAX_DEPTH} levels")
        return result

    def fill(self, struct: Struct) -> Fill:
        """The function that reads messages of a type."""
        if struct not in self._fills:
            table = Table()
            # Before its fields, because a type may contain itself.
            self._fills[struct] = message.reading(table)
            for field in struct.fields.values():
                if field.number:
                    self._add(table, field, field.number << 3)
            for embedded in struct.embedded:
                table.others[embedded.number << 3 | BYTES] = self._embedded(struct, embedded)
        return self._fills[struct]

    def _embedded(self, struct: Struct, embedded: Embedded) -> Fill:
        """Reads a message whose fields are those of the object around it."""
        if any(name not in struct.fields for name in embedded.fields):
            # It has an embedded message in turn.
            return self.fill(facts().struct(f"{struct.name.rpartition('.')[0]}.{embedded.message}"))
        table = Table()
        for name, number in embedded.fields.items():
            self._add(table, struct.fields[name], number << 3)
        return message.reading(table)

    def _add(self, table: Table, field: Field, tag: int) -> None:
        """Adds a field to the table of its message, unless its type is not known. `tag`: with the wire type 0."""
        node, name = field.node, field.name
        if not field.zero and isinstance(node, Text | Number | Flag) and node != Text("quantity"):
            table.omitted.add(tag | (BYTES if isinstance(node, Text) else VARINT))
        if isinstance(node, Struct):
            table.messages[tag | BYTES] = name, self.fill(node)
        elif isinstance(node, Text) and not node.format:
            table.texts[tag | BYTES] = name
        elif isinstance(node, Number) and not node.bits:
            table.fractions[tag | FIXED64] = message.fraction(name, zero=field.zero)
        elif isinstance(node, Number | Flag):
            table.integers[tag | VARINT] = message.integer(name, _convert(node))
        elif isinstance(node, Items) and isinstance(node.item, Number | Flag):
            # Each item is a field, or all are packed into one.
            table.integers[tag | VARINT] = message.integers(name, _convert(node.item))
            table.others[tag | BYTES] = message.packed(name, _convert(node.item))
        elif (reader := self._reader(node.item if isinstance(node, Items | Map) else node)) is not None:
            table.others[tag | BYTES] = _handler(field, reader)

    def _reader(self, node: Node) -> Reader | None:
        """The reader of a value that is in bytes. None for a type that is not known."""
        if isinstance(node, Text):
            return _TEXTS[node.format]
        if isinstance(node, NumberOrText):
            return values.read_number_or_text
        if isinstance(node, Struct):
            return message.whole(self.fill(node))
        if isinstance(node, Items):
            return self._inner_list(node)
        if isinstance(node, Anything):
            return values.read_json if node.name in _JSON else self._schema_or(node.name)
        return None

    def _inner_list(self, items: Items) -> Reader | None:
        """The reader of a list in a map or a list, which is a message with the items in its first field."""
        reader = self._reader(items.item)
        if reader is None:
            return None
        fill = message.reading(Table(others={1 << 3 | BYTES: message.item("items", reader)}))
        return lambda data, at, end: message.whole(fill)(data, at, end).get("items", [])

    def _schema_or(self, name: str) -> Reader | None:
        """The reader of a schema of a custom resource, or what can be in its place. None for other types."""
        if not name.startswith(f"{_SCHEMA}Or"):
            return None
        other = name.removeprefix(f"{_SCHEMA}Or")
        table = Table()
        if other == "Bool":
            table.integers[1 << 3 | VARINT] = message.integer("other", bool)
        elif other == "Array":
            table.others[2 << 3 | BYTES] = message.item("other", message.whole(self._schema))
        else:
            table.others[2 << 3 | BYTES] = message.item("other", values.read_text)
        table.messages[(2 if other == "Bool" else 1) << 3 | BYTES] = "schema", self._schema
        read = message.whole(message.reading(table))

        def schema_or_other(data: bytes, at: int, end: int) -> Any:
            parts = read(data, at, end)
            if other == "Bool":
                return parts.get("schema", parts.get("other", False))
            return parts.get("other", parts.get("schema"))

        return schema_or_other

    def _schema(self, data: bytes, at: int, end: int, result: dict[str, Any]) -> None:
        """Reads a schema. The function is looked up late, because schemas contain themselves."""
        self.fill(facts().struct(_SCHEMA))(data, at, end, result)


def _handler(field: Field, reader: Reader) -> Fill:
    """The handler of a field whose values, items or entries have this reader."""
    if isinstance(field.node, Items):
        return message.item(field.name, reader)
    if isinstance(field.node, Map):
        return message.entry(field.name, reader, _empty(field.node.item))
    omitted = "" if reader is values.read_bytes and not field.zero else None
    return message.value(field.name, reader, omitted=omitted)


def _convert(node: Number | Flag) -> Convert:
    if isinstance(node, Flag):
        return bool
    bits = node.bits
    limit = 1 << (bits - 1)
    # Most numbers are small and not negative.
    return lambda unsigned: unsigned if unsigned < limit else signed(unsigned, bits)


def _empty(node: Node) -> Any:
    """The value of an entry that has none."""
    if isinstance(node, Text):
        return {"quantity": "0", "time": None, "microtime": None}.get(node.format, "")
    return [] if isinstance(node, Items) else {} if isinstance(node, Struct) else None
