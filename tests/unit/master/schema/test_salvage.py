"""A stored object that its model refuses is read as far as it fits; values outside of declared ranges are kept."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from master.objects.scalars import number_within
from master.schema.salvage import salvage

TenAtMost = Annotated[int, number_within(0, 10)]


class Inner(msgspec.Struct):
    number: TenAtMost = 0
    text: str = "default"


class Outer(msgspec.Struct, rename="camel"):
    limited: TenAtMost | None = None
    one_inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, TenAtMost] = {}
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
    for raw, why in ((b"{}", "name"), (b'{"name":7}', "name"), (b"[]", "Expected `object`")):
        with pytest.raises(ValueError, match=why):
            salvage(Needs, raw)
