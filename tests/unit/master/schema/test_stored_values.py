"""The JSON values of objects that were stored before their schema became stricter."""

from __future__ import annotations

from typing import Any

import pytest

from master import kinds
from master.registry.resource import Resource


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (kinds.CONFIGMAP, b'{"metadata":{"name":"c"},"data":{"a":1,"b":"2"}}', {"b": "2"}),
        (kinds.CONFIGMAP, b'{"metadata":{"name":"c"},"data":{"b":"2"}}', {"b": "2"}),
    ],
    ids=["wrong type", "right type"],
)
def test_parts_of_a_wrong_type_are_left_out(kind: Resource[Any], raw: bytes, value: dict[str, str]) -> None:
    assert kind.schema.stored_value(raw)["data"] == value


def test_the_same_holds_for_kinds_that_are_only_data() -> None:
    raw = b'{"metadata":{"name":"p"},"value":"high","description":"text"}'
    assert kinds.PRIORITYCLASS.schema.stored_value(raw) == {"metadata": {"name": "p"}, "description": "text"}
