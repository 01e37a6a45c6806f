"""The merge patch of apply: which fields it changes, removes and leaves alone."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from client.apply import LAST_APPLIED, annotated, patch_for

Object = dict[str, Any]


def service(**spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}


def stored(document: Object, **defaults: Any) -> Object:
    """An applied document as the server stores it: with the annotation and the server's own defaults."""
    live = annotated(document)
    live["spec"].update(defaults)
    return live


def merged(live: Any, patch: Any) -> Any:
    """Applies a merge patch as RFC 7386 defines it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def test_the_same_document_again_changes_nothing() -> None:
    document = service(ports=[{"port": 80}], selector={"app": "a"})
    live = stored(document, clusterIP="10.96.0.7", ports=[{"port": 80, "protocol": "TCP", "targetPort": 80}])
    assert patch_for(live, document) == {}


@pytest.mark.parametrize(
    ("last", "applied", "expected"),
    [
        ({"replicas": 1}, {"replicas": 3}, {"replicas": 3, "theirs": 1}),
        ({"replicas": 1, "gone": 2}, {"replicas": 1}, {"replicas": 1, "theirs": 1}),
        ({"selector": {"a": "1", "b": "2"}}, {"selector": {"a": "1"}}, {"selector": {"a": "1"}, "theirs": 1}),
        ({"list": [1, 2]}, {"list": [2]}, {"list": [2], "theirs": 1}),
        ({}, {"added": {"deep": True}}, {"added": {"deep": True}, "theirs": 1}),
        ({"x": 1}, {"x": None}, {"theirs": 1}),
    ],
    ids=["change", "remove", "remove-inner", "list", "add", "null"],
)
def test_the_patch_brings_the_object_to_the_document_and_leaves_other_fields_alone(
    last: Object, applied: Object, expected: Object
) -> None:
    live = stored(service(**copy.deepcopy(last)), theirs=1)
    document = service(**applied)
    result = merged(live, patch_for(live, document))
    assert result["spec"] == expected
    assert json.loads(result["metadata"]["annotations"][LAST_APPLIED]) == document
    assert patch_for(result, document) == {}


def test_a_foreign_change_to_an_applied_field_is_undone() -> None:
    document = service(replicas=1)
    assert patch_for(stored(document, replicas=5), document)["spec"] == {"replicas": 1}


def test_an_object_that_was_never_applied_is_adopted() -> None:
    document = service(replicas=1)
    change = patch_for(copy.deepcopy(document), document)
    assert list(change) == ["metadata"]


def test_an_unreadable_annotation_is_replaced() -> None:
    document = service(replicas=1)
    live = copy.deepcopy(document)
    live["metadata"]["annotations"] = {LAST_APPLIED: "{"}
    assert LAST_APPLIED in patch_for(live, document)["metadata"]["annotations"]
