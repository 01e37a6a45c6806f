"""Plain text is read without a look at it in Python; the result is that of the closer look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from master.kinds import ALL
from master.registry.resource import Resource
from master.schema.plain import keys_are_unique
from master.schema.schema import Typed

KINDS = [kind for kind in ALL if isinstance(kind.schema, Typed)]
HEAD = '"apiVersion":"v1","kind":"X"'


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        (f'{{{HEAD},"metadata":{{"name":"a","labels":{{"x":"y"}}}}}}', True),
        (f'{{{HEAD}, "metadata": {{"name": "a: b", "creationTimestamp":""}}}}', True),
        (f'{{{HEAD},"metadata":{{"name":"a","name":"b"}}}}', False),
        (f'{{{HEAD},"metadata":{{"labels":{{"x":"y","x":"y"}}}}}}', False),
        (f'{{{HEAD},"metadata":{{"name" :"a"}},"metadata":null}}', False),
        (f'{{{HEAD},"metadata":{{"name":"a\\u003a","name":"b"}}}}', False),
        (f'{{{HEAD},"metadata":{{"nmae":"a"}}}}', False),
        (f'{{{HEAD},"metadata":{{"name":null}}}}', False),
        (f'{{{HEAD},"metadata":{{"name":1}}}}', False),
        (f'{{{HEAD},"metadata":{{"finalizers":[null]}}}}', False),
        (f"{{{HEAD}}} x", False),
        (f"{{{HEAD}", False),
        ("[]", False),
        ("", False),
    ],
)
def test_what_is_plain(kind: Resource[Any], text: str, is_plain: bool) -> None:
    obj = kind.schema.read_plain(text.encode())
    assert (obj is not None) is is_plain
    if obj is not None:
        unknown: list[Any] = []
        assert obj == kind.schema.read(json.loads(text), unknown) and not unknown


def test_text_that_is_not_utf8_and_deep_text_are_not_plain() -> None:
    deep = "[" * 200 + "]" * 200
    for kind in KINDS:
        assert kind.schema.read_plain(b'{"metadata":{"name":"\xff"}}') is None
        assert kind.schema.read_plain(f'{{"metadata":{{"managedFields":[{{"a":{deep}}}]}}}}'.encode()) is None


@pytest.mark.parametrize(
    ("text", "value", "unique"),
    [
        (b'{"a":1}', {"a": 1}, True),
        (b'{"a" : 1}', {"a": 1}, True),
        (b'{"a":1,"a":1}', {"a": 1}, False),
        (b'{"a":"\\":"}', {"a": '":'}, True),
        (b'{"a":"\\u003a","a":1}', {"a": 1}, False),
        (b'{"a":1,"a":"\\u003a"}', {"a": ":"}, False),
    ],
)
def test_dropped_keys_are_noticed(text: bytes, value: Any, unique: bool) -> None:
    assert keys_are_unique(text, value) is unique
