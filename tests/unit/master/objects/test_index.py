"""The values of indexes, read from an object's JSON; and objects that their model refuses."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from master.objects.salvage import salvage
from msgspec import Meta

from master.objects.index import LABEL, NODE, OWNER, SELECTOR, IndexReader, field_index

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


class Inner(msgspec.Struct):
    number: Annotated[int, Meta(le=10)] = 0
    text: str = "default"


class Outer(msgspec.Struct, rename="camel"):
    limited: Annotated[int, Meta(le=10)] | None = None
    one_inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Annotated[int, Meta(le=10)]] = {}
    kept: str = ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"limited": 11, "kept": "k"}, Outer(limited=11, kept="k"), id="beyond a limit"),
        pytest.param({"limited": "x", "kept": "k"}, Outer(kept="k"), id="another type"),
        pytest.param({"oneInner": {"number": 11, "text": "t"}}, Outer(one_inner=Inner(11, "t")), id="inside"),
        pytest.param(
            {"many": [{"number": 11}, 7, {"text": 1}]}, Outer(many=(Inner(11), Inner())), id="some items of a list"
        ),
        pytest.param({"named": {"a": 11, "b": "x", "c": 1}}, Outer(named={"a": 11, "c": 1}), id="some values of a map"),
        pytest.param({"unknown": 1, "oneInner": 3}, Outer(), id="unknown fields"),
    ],
)
def test_what_fits_is_salvaged(value: dict[str, Any], expected: Outer) -> None:
    assert salvage(Outer, msgspec.json.encode(value)) == expected


def test_without_a_required_field_nothing_is_salvaged() -> None:
    class Needs(msgspec.Struct):
        name: str
        inner: Outer = msgspec.field(default_factory=Outer)

    assert salvage(Needs, b'{"name":"a","inner":{"limited":11}}').inner.limited == 11
    for raw, why in ((b"{}", "name"), (b'{"name":7}', "Expected `str`"), (b"[]", "Expected `object`")):
        with pytest.raises(ValueError, match=why):
            salvage(Needs, raw)
