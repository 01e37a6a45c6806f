"""Sets of fields: their text, and the operations on them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from master.fieldmanager.fieldset import EMPTY, FieldSet, Path, shown

A, B = "f:a", "f:b"
KEY = 'k:{"name":"x"}'


def paths(fields: FieldSet) -> set[Path]:
    return set(fields.paths())


SETS = st.builds(
    lambda each: FieldSet.of(*each),
    st.lists(
        st.lists(st.sampled_from([A, B, "f:c", KEY, 'v:"y"', "i:1"]), min_size=1, max_size=3).map(tuple), max_size=8
    ),
)


@settings(max_examples=40)
@given(SETS, SETS)
def test_operations_are_those_of_sets_of_paths(one: FieldSet, other: FieldSet) -> None:
    assert paths(one | other) == paths(one) | paths(other)
    assert paths(one & other) == paths(one) & paths(other)
    assert paths(one - other) == paths(one) - paths(other)
    assert bool(one) == bool(paths(one))


@settings(max_examples=40)
@given(SETS, SETS)
def test_without_also_removes_what_is_below(one: FieldSet, other: FieldSet) -> None:
    above = paths(other)
    kept = {path for path in paths(one) if not any(path[: len(each)] == each for each in above)}
    assert paths(one.without(other)) == kept


@settings(max_examples=40)
@given(SETS, SETS)
def test_a_set_that_is_read_from_its_text_is_the_same(one: FieldSet, other: FieldSet) -> None:
    assert FieldSet.read(one.json()) == one
    stored = FieldSet.stored(one.json())
    assert (stored & other, stored - other) == (one & other, one - other)


@settings(max_examples=40)
@given(SETS)
def test_a_set_contains_its_paths(fields: FieldSet) -> None:
    assert all(fields.contains(path) for path in fields.paths())
    assert not fields.contains(())


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (b"", b"{}"),
        (b'{"f:a":{".":{}}}', b'{"f:a":{}}'),
        (b'{"f:b":{},"f:a":{"f:x":{},".":{}}}', b'{"f:a":{".":{},"f:x":{}},"f:b":{}}'),
        (b'{"k:{\\"p\\": 443}":{},"k:{\\"p\\":80.0}":{}}', b'{"k:{\\"p\\":80}":{},"k:{\\"p\\":443}":{}}'),
        (b'{"k:{\\"b\\":1,\\"a\\":2}":{}}', b'{"k:{\\"a\\":2,\\"b\\":1}":{}}'),
        (
            b'{"v:true":{},"v:\\"a\\"":{},"v:2":{},"i:3":{},"f:z":{}}',
            b'{"f:z":{},"v:2":{},"v:\\"a\\"":{},"v:true":{},"i:3":{}}',
        ),
        (b'{"v:\\"<\\"":{}}', b'{"v:\\"\\\\u003c\\"":{}}'),
        (b'{"q:later":{},"f:a":{}}', b'{"f:a":{}}'),
    ],
    ids=["empty", "member", "order", "numbers", "keys", "kinds", "escape", "unknown"],
)
def test_a_text_becomes_the_one_that_kubernetes_writes(text: bytes, canonical: bytes) -> None:
    assert FieldSet.read(text).json() == canonical


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"a":{}}', b'{"f:a":1}', b'{"k:[]":{}}', b'{"i:x":{}}', b'{"v:":{}}'])
def test_a_malformed_text_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        FieldSet.read(text)


def test_a_path_is_shown_as_kubernetes_shows_it() -> None:
    path = ("f:spec", "f:containers", 'k:{"name":"x","port":80}', "f:args", 'v:"y"', "i:2")
    assert shown(path) == '.spec.containers[name="x",port=80].args[="y"][2]'


def test_the_empty_set_has_nothing() -> None:
    assert not EMPTY and list(EMPTY.paths()) == [] and EMPTY.json() == b"{}"
