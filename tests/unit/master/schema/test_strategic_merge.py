"""Strategic merge patches give the results of Kubernetes' own implementation, and refuse what it refuses.

tests/fixtures/kubernetes/strategic-merge.jsonl.gz has random objects and patches with the results of the package
k8s.io/apimachinery/pkg/util/strategicpatch, version 0.37.
"""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from master.schema.facts import facts
from master.schema.strategicmerge.errors import MalformedPatch, UnsupportedPatch
from master.schema.strategicmerge.maps import patch
from master.schema.tree import Struct

_FILE = Path(__file__).parents[3] / "fixtures/kubernetes/strategic-merge.jsonl.gz"
_TYPES = {"Pod": "core.v1.Pod", "Service": "core.v1.Service", "Deployment": "apps.v1.Deployment"}


def _tree(kind: str) -> Struct:
    return facts().struct(_TYPES[kind])


def test_results_are_those_of_kubernetes() -> None:
    cases = [json.loads(line) for line in gzip.decompress(_FILE.read_bytes()).splitlines()]
    assert len(cases) == 600
    for case in cases:
        original, change = deepcopy(case["original"]), deepcopy(case["patch"])
        if case.get("refused"):
            with pytest.raises((MalformedPatch, UnsupportedPatch)):
                patch(original, change, _tree(case["kind"]))
        else:
            assert patch(original, change, _tree(case["kind"])) == case["result"], case
        assert (original, change) == (case["original"], case["patch"]), "a patch changes neither of its arguments"


def _containers(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "image": name} for name in names]


def _spec(change: dict[str, Any], *names: str, **fields: Any) -> dict[str, Any]:
    before = {"spec": {"containers": _containers(*names), **fields}}
    spec: dict[str, Any] = patch(before, {"spec": change}, _tree("Pod"))["spec"]
    return spec


@pytest.mark.parametrize(
    ("change", "names"),
    [
        pytest.param({"containers": [{"name": "d"}]}, "dabc", id="an item that is new to a list comes first"),
        pytest.param({"containers": [{"name": "b"}, {"name": "d"}]}, "abdc", id="new items follow those before them"),
        pytest.param({"containers": [{"name": "b", "$patch": "delete"}]}, "ac", id="an item is deleted"),
        pytest.param({"containers": [{"name": "x", "$patch": "delete"}]}, "abc", id="a missing item is deleted"),
        pytest.param({"containers": [{"name": "x"}, {"$patch": "replace"}]}, "x", id="the list is replaced"),
        pytest.param({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}, "bca", id="an order alone"),
        pytest.param(
            {
                "$setElementOrder/containers": [{"name": "d"}, {"name": "a"}],
                "containers": [{"name": "d"}, {"name": "b", "$patch": "delete"}],
            },
            "cda",
            id="an added item has the place of a deleted one",
        ),
    ],
)
def test_the_order_of_a_merged_list(change: dict[str, Any], names: str) -> None:
    merged = [item["name"] for item in _spec(change, *"abc")["containers"]]
    assert merged == list(names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"containers": [{"image": "i"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "$patch": "drop"}]}, 'unknown patch type: "drop"'),
        ({"containers": [{"name": "a", "$patch": "merge"}]}, "merging lists cannot yet be specified"),
        ({"securityContext": {"$patch": "merge"}}, 'unknown patch type: "merge"'),
        ({"containers": [{"name": ["a"]}]}, "cannot be identified"),
        ({"containers": [["a"]]}, "lists of lists"),
        ({"containers": ["a"]}, "types are not identical"),
        (
            {
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                "containers": [{"name": "a"}, {"name": "b"}],
            },
            "doesn't match $setElementOrder list",
        ),
        ({"$setElementOrder/containers": {"name": "b"}}, "expected a list"),
        ({"$setElementOrder": []}, "invalid patch format of setElementOrder list"),
        ({"$deleteFromPrimitiveList": ["a"]}, "invalid patch format of primitive list"),
        ({"$deleteFromPrimitiveList/containers": [{"name": "a"}]}, "invalid patch format of primitive list"),
        ({"$retainKeys": "hostname"}, "invalid patch format of retainKeys"),
        ({"$retainKeys": ["hostname"], "nodeName": "n"}, "invalid patch format of retainKeys"),
    ],
)
def test_malformed_patches_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises((MalformedPatch, UnsupportedPatch)) as raised:
        _spec(change, "a", "b", securityContext={"runAsUser": 1})
    assert message in str(raised.value)


def test_a_strategy_is_replaced_with_the_fields_that_are_retained() -> None:
    before = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert patch(before, change, _tree("Deployment")) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_finalizers_are_a_set() -> None:
    before = {"metadata": {"finalizers": ["a/x", "a/y"]}}
    change = {"metadata": {"finalizers": ["a/y", "a/z"], "$deleteFromPrimitiveList/finalizers": ["a/x"]}}
    merged = patch(before, change, _tree("Pod"))
    assert merged == {"metadata": {"finalizers": ["a/y", "a/z"]}}


def test_values_of_different_types_have_different_keys() -> None:
    before = {"spec": {"ports": [{"port": 1, "name": "one"}]}}
    merged = patch(before, {"spec": {"ports": [{"port": True}]}}, _tree("Service"))
    assert merged["spec"]["ports"] == [{"port": True}, {"port": 1, "name": "one"}]


def test_fields_that_may_have_any_json_are_merged_as_objects() -> None:
    tree = facts().struct("apps.v1.ControllerRevision")
    assert patch({"data": {"a": {"b": 1}, "c": [1]}}, {"data": {"a": {"d": 2}, "c": [2]}}, tree) == {
        "data": {"a": {"b": 1, "d": 2}, "c": [2]}
    }


def test_long_lists_take_linear_time() -> None:
    items = [{"name": f"c{number}"} for number in range(5_000)]
    merged = patch({"spec": {"containers": items}}, {"spec": {"containers": items[::-1]}}, _tree("Pod"))
    assert merged["spec"]["containers"] == items[::-1]
