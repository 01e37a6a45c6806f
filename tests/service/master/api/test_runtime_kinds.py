"""A kind with two versions that comes and goes while the API is served."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from master.cache import Serving
from master.registry import untyped
from master.registry.resource import Resource, Version
from master.registry.untyped import UntypedStrategy
from master.schema.data import Data
from master.schema.openapi import struct_of_schema
from tests.masters import Client

GROUP = "example.com"
OLD = f"/apis/{GROUP}/v1beta1/namespaces/default/widgets"
NEW = f"/apis/{GROUP}/v1/namespaces/default/widgets"
MERGE = {"Content-Type": "application/merge-patch+json"}


def schema(**spec: Any) -> Data:
    properties = {"spec": {"type": "object", "properties": spec}, "status": {"type": "object", "properties": {}}}
    return Data("Widget", struct_of_schema("Widget", {"type": "object", "properties": properties}))


def moved(value: dict[str, Any], change: Any) -> dict[str, Any]:
    return {**value, "spec": change(dict(value.get("spec", {})))}


def to_old(value: dict[str, Any]) -> dict[str, Any]:
    """v1beta1 has the size as text."""
    return moved(value, lambda spec: {**spec, "size": str(spec["size"])} if "size" in spec else spec)


def to_new(value: dict[str, Any]) -> dict[str, Any]:
    return moved(value, lambda spec: {**spec, "size": int(spec["size"])} if "size" in spec else spec)


def widgets() -> Resource[Any]:
    stored = schema(size={"type": "integer", "minimum": 1}, color={"type": "string", "default": "red"})
    beta = schema(size={"type": "string", "pattern": "^[0-9]+$"}, color={"type": "string"})
    strategy = UntypedStrategy(stored, has_status=True)
    return Resource(
        kind="Widget",
        plural="widgets",
        group=GROUP,
        schema=stored,
        served=(Version("v1beta1", beta, from_stored=to_old, to_stored=to_new),),
        subresources=(untyped.status(strategy),),
        strategy=strategy,
        has_generation=True,
    )


@pytest.fixture
def serving(api: Client) -> Serving:
    return Serving(api.resources.registry, api.resources.cache)


def widget(name: str = "w", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


async def test_an_object_is_written_in_one_version_and_read_in_the_other(api: Client, serving: Serving) -> None:
    assert (await api("POST", NEW, widget())).status == 404
    await serving.add(widgets())
    made = await api("POST", OLD, widget(size="3"))
    assert (made.status, made.json["apiVersion"]) == (201, f"{GROUP}/v1beta1")
    assert made.json["spec"] == {"size": "3", "color": "red"}
    got = (await api("GET", f"{NEW}/w")).json
    assert (got["apiVersion"], got["kind"], got["spec"]) == (f"{GROUP}/v1", "Widget", {"size": 3, "color": "red"})
    patched = await api("PATCH", f"{OLD}/w", {"spec": {"size": "4"}}, headers=MERGE)
    assert patched.json["spec"]["size"] == "4" and patched.json["metadata"]["generation"] == 2
    assert (await api("GET", f"{NEW}/w")).json["spec"]["size"] == 4
    put = await api("PUT", f"{NEW}/w", {**got, "metadata": {"name": "w"}, "spec": {"size": 5}})
    assert put.json["spec"] == {"size": 5, "color": "red"}
    listed = (await api("GET", OLD)).json
    assert listed["apiVersion"] == f"{GROUP}/v1beta1"
    assert [item["spec"]["size"] for item in listed["items"]] == ["5"]
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    (row,) = (await api("GET", f"{OLD}?includeObject=Object", headers=table)).json["rows"]
    assert (row["object"]["apiVersion"], row["object"]["spec"]["size"]) == (f"{GROUP}/v1beta1", "5")


async def test_each_version_has_its_own_types(api: Client, serving: Serving) -> None:
    await serving.add(widgets())
    wrong = await api("POST", OLD, widget(size=3))
    assert (wrong.status, wrong.json["details"]["causes"][0]["field"]) == (400, "spec.size")
    wrong = await api("POST", NEW, widget(size="3"))
    assert (wrong.status, wrong.json["details"]["causes"][0]["field"]) == (400, "spec.size")
    invalid = await api("POST", OLD, widget(size="0"))
    assert (invalid.status, invalid.json["details"]["causes"][0]["field"]) == (422, "spec.size")
    unconvertible = await api("POST", OLD, widget(size="x"))
    assert (unconvertible.status, unconvertible.json["details"]["causes"][0]["field"]) == (422, "spec.size")
    unknown = await api("POST", f"{NEW}?fieldValidation=Strict", widget(sise=1))
    assert unknown.status == 400 and 'did you mean "size"' in unknown.json["message"]
    mixed = await api("POST", OLD, {**widget(), "apiVersion": f"{GROUP}/v1"})
    assert mixed.status == 400


async def test_watches_get_the_version_of_their_path(api: Client, serving: Serving) -> None:
    await serving.add(widgets())
    made = await api("POST", NEW, widget(size=1))
    since = made.json["metadata"]["resourceVersion"]
    await api("PATCH", f"{NEW}/w", {"spec": {"size": 2}}, headers=MERGE)
    await api("DELETE", f"{NEW}/w")
    for path, sizes in ((OLD, ["2", "2"]), (NEW, [2, 2])):
        events = await api.watch(f"{path}?watch=1&resourceVersion={since}", lambda events: len(events) == 2)
        assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
        assert [event["object"]["spec"]["size"] for event in events] == sizes


async def test_the_status_is_a_subresource(api: Client, serving: Serving) -> None:
    await serving.add(widgets())
    made = await api("POST", NEW, {**widget(size=1), "status": {}})
    assert "status" not in made.json
    put = await api("PUT", f"{NEW}/w/status", {**made.json, "spec": {"size": 9}, "status": {}})
    assert put.json["status"] == {} and put.json["spec"]["size"] == 1
    assert put.json["metadata"]["generation"] == 1


async def test_a_removed_kind_comes_back_with_its_objects(api: Client, serving: Serving) -> None:
    registry = api.resources.registry
    kind = widgets()
    await serving.add(kind)
    made = await api("POST", NEW, widget(size=1))
    assert [resource["name"] for resource in (await api("GET", f"/apis/{GROUP}/v1")).json["resources"]] == [
        "widgets",
        "widgets/status",
    ]
    begun = asyncio.Event()

    def never(events: list[Any]) -> bool:
        begun.set()
        return False

    watching = asyncio.create_task(api.watch(f"{NEW}?watch=1", never), name="watch")
    await begun.wait()
    registry.remove(kind)
    events = await watching
    assert [event["type"] for event in events] == ["ADDED", "ERROR"], "the watch has ended"
    for path in (NEW, f"{NEW}/w", f"{OLD}/w", f"/apis/{GROUP}", f"/apis/{GROUP}/v1"):
        assert (await api("GET", path)).status == 404
    assert (await api("POST", NEW, widget())).status == 404
    assert GROUP not in {group["name"] for group in (await api("GET", "/apis")).json["groups"]}
    await serving.add(widgets())
    assert (await api("GET", f"{NEW}/w")).json == made.json
    assert (await api("GET", f"/apis/{GROUP}")).json["preferredVersion"]["version"] == "v1"
    changed = await api("PATCH", f"{NEW}/w", {"spec": {"size": 2}}, headers=MERGE)
    assert changed.json["spec"]["size"] == 2


async def test_a_kind_that_is_added_again_replaces_the_earlier_one(api: Client, serving: Serving) -> None:
    await serving.add(widgets())
    await api("POST", NEW, widget(size=1, color="blue"))
    narrow = schema(size={"type": "integer", "minimum": 5})
    await serving.add(Resource(kind="Widget", plural="widgets", group=GROUP, schema=narrow))
    kept = await api("GET", f"{NEW}/w")
    assert kept.json["spec"] == {"size": 1, "color": "blue"}, "what is stored is read leniently"
    refused = await api("PATCH", f"{NEW}/w", {"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
    assert refused.status == 422
    changed = await api("PATCH", f"{NEW}/w", {"spec": {"size": 5}}, headers=MERGE)
    assert changed.json["spec"] == {"size": 5}
    assert (await api("GET", f"{OLD}/w")).status == 404, "the second version is gone"
