"""The values of indexes, read from an object's JSON; and objects that their model refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master.objects.index import LABEL, LABEL_SELECTOR, NODE, OWNER, SELECTOR, IndexReader, field_index

ALL = (OWNER, LABEL, NODE, SELECTOR)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"metadata": {"name": "a"}}, ((), (), (), ()), id="nothing"),
        pytest.param(
            {
                "metadata": {
                    "labels": {"a": "1", "b": ""},
                    "ownerReferences": [{"uid": "x", "kind": "K"}, {"uid": "y"}, {"uid": "x"}, {}],
                },
                "spec": {"nodeName": "n", "selector": {"b": "2", "a": "1"}},
            },
            (("x", "y"), ("a=1", "b="), ("n",), ("a=1",)),
            id="everything",
        ),
        pytest.param({"metadata": {"labels": None}, "spec": None}, ((), (), (), ()), id="null"),
        pytest.param(
            {"metadata": {"labels": ["a"], "ownerReferences": [{"uid": "x"}]}, "spec": "text"},
            (("x",), (), (), ()),
            id="other types",
        ),
        pytest.param(
            {"metadata": {"name": "a"}, "spec": {"nodeName": "", "selector": {}}}, ((), (), (), ()), id="empty"
        ),
    ],
)
def test_values(value: dict[str, Any], expected: tuple[tuple[str, ...], ...]) -> None:
    assert IndexReader(ALL).read(msgspec.json.encode(value)) == expected


def test_any_text_field_can_be_an_index() -> None:
    reader = IndexReader((field_index("involvedObject.uid"), field_index("x-y.a b")))
    assert reader.read(b'{"involvedObject":{"uid":"u"},"x-y":{"a b":"c"}}') == (("u",), ("c",))


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b'{"a":'])
def test_what_is_not_an_object_has_no_values(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        IndexReader(ALL).read(raw)


@pytest.mark.parametrize(
    ("selector", "values"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, ("a=1",)),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, ("a=1",)),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2", "1"]}]}, ("a=1", "a=2")),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, ("*",)),
        (None, ()),
    ],
)
def test_a_selector_with_expressions_is_found_by_a_label_of_what_it_selects(
    selector: dict[str, Any] | None, values: tuple[str, ...]
) -> None:
    raw = msgspec.json.encode({"spec": {"selector": selector}})
    assert IndexReader((LABEL_SELECTOR,)).read(raw) == (values,)
