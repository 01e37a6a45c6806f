"""What the writer of protobuf writes, as Google's own library reads it."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from master.api.openapi.wire import COUNT, DOUBLE, FLAG, TEXT, Each, Inside, Message, Named, OneOf, Unknown

FIELD = Message(name=(1, TEXT), number=(3, COUNT), options=(8, Message(deprecated=(3, FLAG))))
DESCRIPTOR = Message(name=(1, TEXT), field=(2, Each(FIELD)), nestedType=(3, Each(Message(name=(1, TEXT)))))
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))


@given(
    st.fixed_dictionaries(
        {"name": TEXTS},
        optional={
            "field": st.lists(
                st.fixed_dictionaries(
                    {"name": TEXTS, "number": st.integers(0, 2**31 - 1)},
                    optional={"options": st.fixed_dictionaries({"deprecated": st.booleans()})},
                ),
                min_size=1,
            ),
            "nestedType": st.lists(st.fixed_dictionaries({"name": TEXTS}), min_size=1),
        },
    )
)
def test_messages_lists_and_scalars_are_read_as_they_were_written(value: dict[str, Any]) -> None:
    read = descriptor_pb2.DescriptorProto.FromString(DESCRIPTOR.encode(value))
    assert json_format.MessageToDict(read) == value


@given(st.dictionaries(TEXTS, st.floats(allow_nan=False), min_size=1))
def test_objects_with_any_keys_become_names_and_values(values: dict[str, float]) -> None:
    number = Message(number=(2, DOUBLE))
    numbers = {name: {"number": value} for name, value in values.items()}
    read = struct_pb2.Struct.FromString(Message(fields=(1, Named(number))).encode({"fields": numbers}))
    assert {name: value.number_value for name, value in read.fields.items()} == values


def test_one_of_two_fields_is_chosen_by_the_value() -> None:
    text, nested = Message(text=(3, TEXT)), Message(values=(6, Inside(Each(Message(text=(3, TEXT))))))
    either = Message(values=(1, Each(OneOf(text, nested, lambda value: "values" in value))))
    encoded = either.encode({"values": [{"text": "a"}, {"values": [{"text": "b"}]}]})
    # A list of messages, each with a message in field 1 or 2.
    assert encoded == b"\x0a\x05\x0a\x03\x1a\x01a" + b"\x0a\x09\x12\x07\x32\x05\x0a\x03\x1a\x01b"


def test_a_key_without_a_field_is_an_error() -> None:
    with pytest.raises(Unknown):
        FIELD.encode({"name": "a", "nubmer": 1})
    with pytest.raises(Unknown):
        FIELD.encode({"x-extension": 1})
    assert Message(extensions=2).encode({"x-a": [1]}) == b"\x12\x0c" + b"\x0a\x03x-a" + b"\x12\x05\x12\x03[1]"
