"""Each field of each kind with a value of a wrong type is refused with the field's path, by every verb."""

from __future__ import annotations

import json
from typing import Any

import pytest

from master import kinds
from master.kinds.autoscaling.scale import Scale
from master.kinds.core.pod.binding import Binding
from master.registry.resource import Resource
from master.registry.subresource import Part
from tests.service.master.api.bad_input.conftest import Direct, PlacesOf, collection, document, refusal
from tests.service.master.api.bad_input.places import places
from tests.service.master.api.bad_input.samples import EACH_KIND

WRONG: dict[str, list[Any]] = {
    "str": [5, True, 1.5, ["x"], {"a": "b"}],
    "int": ["5", True, 1.5, 1.0, [1], {"a": 1}],
    "bool": ["true", 1, 0, [True], {"a": True}],
    "int or str": [1.5, True, [1], {"a": 1}],
    "time": [5, True, ["x"], {}, "yesterday", "2024-02-30T00:00:00Z", "2024-01-01", "0001-01-01T00:00:00+23:59"],
    "quantity": [True, ["1"], {"a": "1"}],
    "list": ["x", 5, True, {"a": "b"}],
    "map": ["x", 5, True, ["x"]],
    "struct": ["x", 5, True, ["x"]],
    "anything": [],
}


@EACH_KIND
async def test_a_new_object_with_a_wrong_type_is_refused_with_the_path_of_the_field(
    direct: Direct, kind: Resource[Any], places_of: PlacesOf
) -> None:
    for place in places_of(kind):
        for value in WRONG[place.shape]:
            reply = await direct("POST", collection(kind), place.put(document(kind), value))
            assert refusal(reply, 400) == [place.path()], (place.path(), value)
    assert direct.count >= len(places_of(kind))


@EACH_KIND
async def test_an_update_with_a_wrong_type_is_refused_and_changes_nothing(
    direct: Direct, kind: Resource[Any], places_of: PlacesOf
) -> None:
    created = await direct("POST", collection(kind), document(kind))
    assert created.status == 201, created.body
    parts = {f"/{part.name}": part.verbs for part in kind.subresources if isinstance(part, Part)}
    suffixes = {"": kind.verbs, **parts}
    for index, place in enumerate(places_of(kind)):
        if not WRONG[place.shape]:
            continue
        value = WRONG[place.shape][index % len(WRONG[place.shape])]
        for suffix, verbs in suffixes.items():
            put = await direct("PUT", f"{collection(kind)}/x{suffix}", place.put(document(kind), value))
            assert refusal(put, 400) == [place.path()], (place.path(), value)
            if "patch" not in verbs:
                continue
            patch = await direct.patch(f"{collection(kind)}/x{suffix}", place.put({}, value))
            assert refusal(patch, 422) == ["patch"] and f" {place.path()}: " in patch.json["message"], (
                place.path(),
                value,
            )
    assert (await direct("GET", f"{collection(kind)}/x")).body == created.body


@EACH_KIND
async def test_null_means_an_unset_field_and_is_refused_in_a_list(
    direct: Direct, kind: Resource[Any], places_of: PlacesOf
) -> None:
    for place in places_of(kind):
        if place.outer[-1] == "list" and WRONG[place.shape]:
            reply = await direct("POST", collection(kind), place.put(document(kind), None))
            assert refusal(reply, 400) == [place.path()]
        elif "list" not in place.outer and place.outer[-1] == "struct" and place.get(document(kind)) is None:
            body = place.put(document(kind), None)
            assert await dry_run(direct, kind, body) == await dry_run(direct, kind, without_nulls(body)), place.path()


async def dry_run(direct: Direct, kind: Resource[Any], body: Any) -> Any:
    """The object that the API would store, without fields that differ each time, or the error."""
    answer = (await direct("POST", f"{collection(kind)}?dryRun=All", body)).json
    # The labels of jobs contain the uid.
    answer = json.loads(json.dumps(answer).replace(answer["metadata"].get("uid") or "-", "-"))
    for name in ("clusterIP", "clusterIPs"):
        answer.get("spec", {}).pop(name, None)
    return answer


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


async def test_errors_about_scale_and_binding_name_the_field(direct: Direct) -> None:
    rc, pod = collection(kinds.REPLICATIONCONTROLLER), collection(kinds.POD)
    assert (await direct("POST", rc, document(kinds.REPLICATIONCONTROLLER))).status == 201
    assert (await direct("POST", pod, document(kinds.POD))).status == 201
    for place in places(Scale):
        for value in WRONG[place.shape]:
            body = place.put({"metadata": {"name": "x"}, "spec": {"replicas": 2}}, value)
            assert refusal(await direct("PUT", f"{rc}/x/scale", body), 400) == [place.path()], value
            patch = await direct.patch(f"{rc}/x/scale", place.put({}, value))
            assert refusal(patch, 422) == ["patch"] and f" {place.path()}: " in patch.json["message"], (
                place.path(),
                value,
            )
    for place in places(Binding):
        for value in WRONG[place.shape]:
            reply = await direct("POST", f"{pod}/x/binding", place.put({"target": {"name": "n"}}, value))
            assert refusal(reply, 400) == [place.path()], value
    for target, field in (
        ({}, "target.name"),
        ({"name": "n", "kind": "Pod"}, "target.kind"),
        ({"name": "A b"}, "target.name"),
    ):
        reply = await direct("POST", f"{pod}/x/binding", {"target": target})
        assert refusal(reply, 422) == [field]
    for replicas in (-1, 1 << 31):
        reply = await direct("PUT", f"{rc}/x/scale", {"spec": {"replicas": replicas}})
        assert refusal(reply, 400, 422) == ["spec.replicas"]
    assert (await direct("GET", f"{rc}/x")).json["spec"]["replicas"] == 1
    assert "nodeName" not in (await direct("GET", f"{pod}/x")).json["spec"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"gracePeriodSeconds": "5"}, "gracePeriodSeconds"),
        ({"gracePeriodSeconds": 1 << 63}, "gracePeriodSeconds"),
        ({"preconditions": {"uid": 5}}, "preconditions.uid"),
        ({"preconditions": []}, "preconditions"),
        ({"propagationPolicy": ["Orphan"]}, "propagationPolicy"),
        ({"orphanDependents": "no"}, "orphanDependents"),
        ({"dryRun": "All"}, "dryRun"),
        ({"dryRun": ["Some"]}, ""),
        ({"propagationPolicy": "Sometimes"}, ""),
        ({"gracePeriodSeconds": -1}, ""),
        ([], ""),
    ],
    ids=str,
)
async def test_delete_options_are_checked_before_anything_is_deleted(direct: Direct, body: Any, field: str) -> None:
    pod = collection(kinds.POD)
    assert (await direct("POST", pod, document(kinds.POD))).status == 201
    for path in (f"{pod}/x", pod):
        fields = refusal(await direct("DELETE", path, body), 400)
        assert not field or fields == [field]
    assert (await direct("GET", f"{pod}/x")).status == 200
