"""JSON patches: operations, limits and refusals."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from master.api.errors import ApiError, BadRequest, Invalid, TooLarge
from master.api.patches.jsonpatches import MAX_OPERATIONS, apply
from master.kinds import POD
from master.schema.depth import MAX_DEPTH
from master.schema.pruning import MAX_ITEMS

SCHEMA = POD.schema
BEFORE: dict[str, Any] = {"a": {"b": [1, 2]}, "c/d": "x", "n": None}


def _patch(*operations: Any) -> Any:
    return apply(BEFORE, list(operations), SCHEMA)


@pytest.mark.parametrize(
    ("operations", "after"),
    [
        ([{"op": "add", "path": "/a/b/-", "value": 3}], {"a": {"b": [1, 2, 3]}, "c/d": "x", "n": None}),
        ([{"op": "add", "path": "/a/b/1", "value": 3}], {"a": {"b": [1, 3, 2]}, "c/d": "x", "n": None}),
        ([{"op": "remove", "path": "/c~1d"}], {"a": {"b": [1, 2]}, "n": None}),
        ([{"op": "replace", "path": "/new", "value": 1}], {**BEFORE, "new": 1}),
        ([{"op": "add", "path": "/new"}], {**BEFORE, "new": None}),
        ([{"op": "move", "from": "/a/b", "path": "/b"}], {"a": {}, "b": [1, 2], "c/d": "x", "n": None}),
        ([{"op": "copy", "from": "/a", "path": "/e"}], {**BEFORE, "e": {"b": [1, 2]}}),
        ([{"op": "test", "path": "/a/b", "value": [1, 2]}], BEFORE),
        ([{"op": "test", "path": "/missing", "value": None}], BEFORE),
        ([{"op": "test", "path": "/missing"}], BEFORE),
        ([], BEFORE),
    ],
)
def test_operations(operations: list[Any], after: Any) -> None:
    assert _patch(*operations) == after


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "test", "path": "/c~1d", "value": "y"}, "is not equal to tested value"),
        ({"op": "test", "path": "/a/x/y", "value": 1}, "not found"),
        ({"op": "remove", "path": "/x"}, "can't remove a non-existent object 'x'"),
        ({"op": "replace", "path": "/a/b/7", "value": 1}, "can't replace outside of list"),
        ({"op": "add", "path": "/x/y", "value": 1}, "member 'x' not found"),
        ({"op": "add", "path": "/a/b/01", "value": 1}, "not a valid sequence index"),
        ({"op": "add", "path": "a", "value": 1}, "must start with /"),
        ({"op": "move", "from": "/a", "path": "/a/b"}, "into their own children"),
        ({"op": "copy", "path": "/a"}, "missing from"),
        ({"op": "copy", "from": "/a/b/-", "path": "/a/b/0"}, "nothing at /a/b/-"),
        ({"op": "move", "from": "/a/b/-", "path": "/a/b/0"}, "invalid array index"),
        ({"op": "add", "value": 1}, "missing path"),
        ({"op": "grow", "path": "/a"}, "unexpected kind of operation: grow"),
        ({"path": "/a"}, "unexpected kind of operation: none"),
    ],
)
def test_operations_that_cannot_be_applied_are_invalid(operation: Any, message: str) -> None:
    before = deepcopy(BEFORE)
    with pytest.raises(Invalid) as raised:
        _patch({"op": "remove", "path": "/a/b/0"}, operation)
    assert raised.value.message.startswith("the server rejected our request due to an error in our request: ")
    assert message in raised.value.message
    assert before == BEFORE


@pytest.mark.parametrize("operation", [1, "add", [], {"op": 1}, {"op": "add", "path": 1}, {"op": "copy", "from": {}}])
def test_a_malformed_operation_is_a_bad_request(operation: Any) -> None:
    with pytest.raises(BadRequest):
        _patch(operation)


def test_the_number_of_operations_has_a_limit() -> None:
    operation = {"op": "test", "path": "/c~1d", "value": "x"}
    with pytest.raises(TooLarge):
        _patch(*[operation] * (MAX_OPERATIONS + 1))


def test_copies_that_double_an_object_are_stopped() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(60)]
    with pytest.raises(Invalid, match="copies have more than 3 MiB"):
        _patch(*doubling)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a/0", "value": 0},
        {"op": "remove", "path": "/a/0"},
        {"op": "move", "from": "/a/0", "path": "/b"},
        {"op": "copy", "from": "/n", "path": "/a/0"},
    ],
    ids=lambda operation: operation["op"],
)
def test_the_items_of_a_list_that_is_too_long_are_not_moved(operation: dict[str, Any]) -> None:
    def patched(count: int) -> Any:
        return _patch({"op": "add", "path": "/a", "value": [0] * count}, operation)

    assert len(patched(MAX_ITEMS)["a"]) in (MAX_ITEMS - 1, MAX_ITEMS + 1)
    with pytest.raises(Invalid, match="more than 10000 items"):
        patched(MAX_ITEMS + 1)


def test_a_result_that_is_nested_too_deeply_is_invalid() -> None:
    deep = "/a" + "/x" * (MAX_DEPTH - 1)
    steps = [{"op": "add", "path": "/a" + "/x" * count, "value": {}} for count in range(MAX_DEPTH)]
    nested = [*steps, {"op": "copy", "from": "/a", "path": f"{deep[:-2]}/y"}]
    for operations in (nested, nested + [nested[-1]] * 40, [{"op": "add", "path": deep + "/x", "value": 1}]):
        with pytest.raises(Invalid, match=f"more than {MAX_DEPTH} levels"):
            _patch(*operations)


def test_an_operation_does_not_change_the_value_of_an_earlier_one() -> None:
    operations = [{"op": "add", "path": "/a", "value": {}}, {"op": "add", "path": "/a/b", "value": 1}]
    assert _patch(*operations) == _patch(*operations)
    assert operations[0]["value"] == {}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
_PATHS = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "-1", "", "~", "~1"]), max_size=4).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
_OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": _PATHS},
    optional={"from": _PATHS, "value": _VALUES},
)


@settings(max_examples=150, deadline=None)
@given(_VALUES, st.lists(_OPERATIONS, max_size=5))
def test_any_patch_gives_a_value_or_a_refusal(value: Any, operations: list[Any]) -> None:
    before = deepcopy((value, operations))
    try:
        apply(value, operations, SCHEMA)
    except ApiError as error:
        assert error.code in (400, 422)
    assert (value, operations) == before
