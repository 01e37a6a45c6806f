"""Patches of all formats, of objects and subresources: results, refusals, races and dry runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from master.cache import Serving
from tests.service.master.api.bad_input.conftest import Direct, direct, refusal  # noqa: F401 - a fixture
from tests.service.master.api.test_runtime_kinds import NEW as WIDGETS
from tests.service.master.api.test_runtime_kinds import widget, widgets

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PODS = "/api/v1/namespaces/default/pods"
CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server(direct: Direct) -> Direct:  # noqa: F811
    """A server with a pod, a controller and a config map, all named `x`."""
    spec = {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    for path, body in (
        (PODS, {"spec": spec}),
        (CONTROLLERS, {"spec": {"replicas": 2, "selector": {"a": "b"}, "template": template}}),
        (MAPS, {"data": {"k": "v"}}),
    ):
        assert (await direct("POST", path, {"metadata": {"name": "x"}, **body})).status == 201
    return direct


async def test_a_strategic_merge_patch_merges_lists_by_their_keys(server: Direct) -> None:
    change = {"spec": {"template": {"spec": {"containers": [{"name": "d", "image": "new"}]}}}}
    patched = (await server("PATCH", f"{CONTROLLERS}/x", change, media=STRATEGIC)).json
    containers = patched["spec"]["template"]["spec"]["containers"]
    assert [(item["name"], item["image"]) for item in containers] == [("c", "i"), ("d", "new")]
    assert patched["metadata"]["generation"] == 2
    unchanged = (await server("PATCH", f"{CONTROLLERS}/x", change, media=STRATEGIC)).json
    assert unchanged["metadata"]["resourceVersion"] == patched["metadata"]["resourceVersion"]


async def test_a_json_patch_changes_an_object(server: Direct) -> None:
    operations = [
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "add", "path": "/data/l", "value": "w"},
        {"op": "remove", "path": "/data/k"},
    ]
    assert (await server("PATCH", f"{MAPS}/x", operations, media=JSON)).json["data"] == {"l": "w"}
    failed = await server("PATCH", f"{MAPS}/x", operations, media=JSON)
    assert refusal(failed, 422) == []
    assert (await server("GET", f"{MAPS}/x")).json["data"] == {"l": "w"}


@pytest.mark.parametrize(
    ("media", "change"),
    [
        (JSON, [{"op": "add", "path": "/spec/replicas", "value": 5}]),
        (MERGE, {"spec": {"replicas": 5}}),
        (STRATEGIC, {"spec": {"replicas": 5}}),
    ],
)
async def test_a_scale_is_patched_in_each_format(server: Direct, media: str, change: Any) -> None:
    scaled = await server("PATCH", f"{CONTROLLERS}/x/scale", change, media=media)
    assert (scaled.status, scaled.json["kind"], scaled.json["spec"]) == (200, "Scale", {"replicas": 5})
    assert (await server("GET", f"{CONTROLLERS}/x")).json["spec"]["replicas"] == 5


async def test_a_status_is_patched_by_its_merge_keys(server: Direct) -> None:
    for kind in ("Ready", "Initialized"):
        condition = {"type": kind, "status": "True"}
        change = {"spec": {"nodeName": "n"}, "status": {"conditions": [condition]}}
        patched = await server("PATCH", f"{PODS}/x/status", change, media=STRATEGIC)
        assert patched.status == 200
    conditions = {item["type"]: item["status"] for item in patched.json["status"]["conditions"]}
    assert conditions["Ready"] == conditions["Initialized"] == "True"
    assert "nodeName" not in patched.json["spec"]


@pytest.mark.parametrize(
    ("media", "change", "code", "message"),
    [
        ("application/json", {}, 415, f"{JSON}, {MERGE}, {STRATEGIC}"),
        ("", {}, 415, f"{JSON}, {MERGE}, {STRATEGIC}"),
        (JSON, {}, 400, "must be a list of operations"),
        (JSON, b"[", 400, "not JSON"),
        (JSON, ["x"], 400, "must be an object"),
        (JSON, [{"op": "replace", "path": "", "value": []}], 422, "expected an object"),
        (JSON, [{"op": "replace", "path": "/metadata/name", "value": "y"}], 400, "does not match"),
        (MERGE, [], 400, "must be an object"),
        (STRATEGIC, [], 400, "must be an object"),
        (STRATEGIC, {"spec": {"containers": [{"image": "x"}]}}, 400, "declared merge key: name"),
        (STRATEGIC, {"spec": {"containers": [["x"]]}}, 422, "lists of lists"),
        (STRATEGIC, {"spec": {"containers": "x"}}, 422, "spec.containers: Expected `array`, got `str`"),
        (STRATEGIC, {"$patch": "replace"}, 422, "spec.containers: Required value"),
        (MERGE, {"kind": "Node"}, 422, "the path takes a Pod"),
    ],
)
async def test_refusals(server: Direct, media: str, change: Any, code: int, message: str) -> None:
    reply = await server("PATCH", f"{PODS}/x", change, media=media)
    refusal(reply, code)
    assert message in reply.json["message"]


@pytest.mark.parametrize("media", [MERGE, STRATEGIC])
async def test_unknown_fields_are_errors_about_the_patch_if_the_client_wants_it(server: Direct, media: str) -> None:
    change = {"spec": {"unknown": 1}}
    strict = await server("PATCH", f"{PODS}/x?fieldValidation=Strict", change, media=media)
    assert refusal(strict, 422) == ["patch"] and 'unknown field "spec.unknown"' in strict.json["message"]
    warned = await server("PATCH", f"{PODS}/x", change, media=media)
    assert (warned.status, warned.headers.getall("Warning")) == (200, ['299 - "unknown field \\"spec.unknown\\""'])
    ignored = await server("PATCH", f"{PODS}/x?fieldValidation=Ignore", change, media=media)
    assert (ignored.status, "Warning" in ignored.headers) == (200, False)


async def test_unknown_fields_of_operations_are_found(server: Direct) -> None:
    operations = [{"op": "add", "path": "/data/a", "value": "b", "values": 1}]
    strict = await server("PATCH", f"{MAPS}/x?fieldValidation=Strict", operations, media=JSON)
    assert refusal(strict, 422) == ["patch"] and 'json patch unknown field "[0].values"' in strict.json["message"]
    warned = await server("PATCH", f"{MAPS}/x", operations, media=JSON)
    assert (warned.status, warned.headers["Warning"]) == (200, '299 - "json patch unknown field \\"[0].values\\""')


async def test_duplicate_fields_of_a_patch_are_found(server: Direct) -> None:
    body = b'{"data": {"a": "1", "a": "2"}}'
    strict = await server("PATCH", f"{MAPS}/x?fieldValidation=Strict", body, media=STRATEGIC)
    assert refusal(strict, 422) == ["patch"] and "duplicate field" in strict.json["message"]


async def test_a_custom_resource_has_no_strategic_merge_patch(server: Direct) -> None:
    await Serving(server.resources.registry, server.resources.cache).add(widgets())
    assert (await server("POST", WIDGETS, widget(size=1))).status == 201
    refused = await server("PATCH", f"{WIDGETS}/w", {"spec": {"size": 2}}, media=STRATEGIC)
    refusal(refused, 415)
    assert f"{JSON}, {MERGE}, application/apply-patch+yaml; this was" in refused.json["message"]
    size = [{"op": "replace", "path": "/spec/size", "value": 2}]
    assert (await server("PATCH", f"{WIDGETS}/w", size, media=JSON)).json["spec"]["size"] == 2


async def test_patches_that_lose_a_race_are_applied_again(server: Direct) -> None:
    names = [f"k{number}" for number in range(8)]
    patches = [
        server("PATCH", f"{MAPS}/x", [{"op": "add", "path": f"/data/{name}", "value": name}], media=JSON)
        for name in names
    ]
    assert {reply.status for reply in await asyncio.gather(*patches)} == {200}
    data = (await server("GET", f"{MAPS}/x")).json["data"]
    assert data == {"k": "v", **{name: name for name in names}}


async def test_of_patches_with_a_version_only_one_wins(server: Direct) -> None:
    version = (await server("GET", f"{MAPS}/x")).json["metadata"]["resourceVersion"]
    path = "/metadata/resourceVersion"
    json = [{"op": "replace", "path": path, "value": version}, {"op": "add", "path": "/data/j", "value": "1"}]
    merge = {"metadata": {"resourceVersion": version}, "data": {"m": "1"}}
    replies = await asyncio.gather(
        *(
            server("PATCH", f"{MAPS}/x", body, media=media)
            for media, body in ((JSON, json), (MERGE, merge), (STRATEGIC, merge))
        )
    )
    assert sorted(reply.status for reply in replies) == [200, 409, 409]
    stale = await server("PATCH", f"{CONTROLLERS}/x/scale", merge | {"data": None}, media=MERGE)
    refusal(stale, 409)


async def test_a_patch_for_another_object_of_the_name_is_a_conflict(server: Direct) -> None:
    for media in (MERGE, STRATEGIC):
        change = {"metadata": {"uid": "11111111-1111-4111-8111-111111111111"}, "data": {"a": "b"}}
        refusal(await server("PATCH", f"{MAPS}/x", change, media=media), 409)


@pytest.mark.parametrize(
    ("media", "change"), [(JSON, [{"op": "add", "path": "/data/a", "value": "b"}]), (STRATEGIC, {"data": {"a": "b"}})]
)
async def test_a_dry_run_changes_nothing(server: Direct, media: str, change: Any) -> None:
    before = await server("GET", f"{MAPS}/x")
    dry = await server("PATCH", f"{MAPS}/x?dryRun=All", change, media=media)
    assert dry.json["data"] == {"k": "v", "a": "b"}
    assert (await server("GET", f"{MAPS}/x")).body == before.body
