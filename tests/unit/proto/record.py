"""Records the present protocol version before it becomes an older one: `python -m tests.unit.proto.record`.

It writes recorded/version-N.json: every message of the contract with every field set, as bytes and as JSON. Each
alternative of a oneof is in a variant of its own. Run it once, when the release that speaks this version is made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from proto import contract
from proto.gen import session_pb2

RECORDED = Path(__file__).parent / "recorded"


def main() -> None:
    """Write the file of the present version."""
    lines = []
    for name, descriptor in sorted(session_pb2.DESCRIPTOR.message_types_by_name.items()):
        for variant in range(_variants(descriptor, ())):
            message = getattr(session_pb2, name)()
            _fill(message, variant)
            recorded = {
                "hex": message.SerializeToString(deterministic=True).hex(),
                "says": MessageToDict(message, preserving_proto_field_name=True),
            }
            lines.append(f" {json.dumps(f'{name}/{variant}')}: {json.dumps(recorded, sort_keys=True)}")
    path = RECORDED / f"version-{contract.PROTOCOL_VERSION}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _variants(descriptor: Descriptor, above: tuple[Descriptor, ...]) -> int:
    """The number of variants in which each alternative of each oneof appears, also in nested messages."""
    inside = [field.message_type for field in descriptor.fields if field.message_type not in (None, *above)]
    return max(
        [1, *(len(oneof.fields) for oneof in descriptor.oneofs)]
        + [_variants(message, (*above, descriptor)) for message in inside if message is not None]
    )


def _fill(message: Message, variant: int) -> None:
    fields: Any = message.DESCRIPTOR.fields
    for number, field in enumerate(fields):
        oneof = field.containing_oneof
        if oneof is not None and oneof.fields[variant % len(oneof.fields)] is not field:
            continue
        value: Any = getattr(message, field.name)
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            held = kind.fields_by_name["value"]
            if held.message_type is not None:
                _fill(value["a"], variant)
            else:
                value["a"] = _scalar(held, number)
        elif field.is_repeated:
            _fill(value.add(), variant) if kind is not None else value.append(_scalar(field, number))
        elif kind is not None:
            value.SetInParent()
            _fill(value, variant)
        else:
            setattr(message, field.name, _scalar(field, number))


def _scalar(field: FieldDescriptor, number: int) -> Any:
    """A value that differs from those of neighbouring fields."""
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"{field.name}-{number}".encode()
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return f"{field.name}-{number}"
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return number + 0.5
    return contract.PROTOCOL_VERSION if field.name == "protocol_version" else number + 1


if __name__ == "__main__":
    main()
