"""Each kind can be applied by the server: its types are divided into fields, and an object can be applied again."""

from __future__ import annotations

from typing import Any

import pytest

from master.registry.resource import Resource
from tests.service.master.api.bad_input.conftest import MERGE, Direct, collection, document
from tests.service.master.api.bad_input.samples import STORED

APPLY = "application/apply-patch+yaml"
APPLIED = [kind for kind in STORED if "patch" in kind.verbs]


@pytest.mark.parametrize("kind", APPLIED, ids=lambda kind: kind.kind)
async def test_an_object_is_applied_created_and_applied_again(direct: Direct, kind: Resource[Any]) -> None:
    # Without a label, some objects would have nothing that a manager can own.
    metadata = {"name": "x", "labels": {"z": "1"}}
    body = {**document(kind), "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    path = f"{collection(kind)}/x"
    made = await direct("PATCH", f"{path}?fieldManager=one", body, media=APPLY)
    assert made.status == 201, made.body
    again = await direct("PATCH", f"{path}?fieldManager=one", body, media=APPLY)
    assert (again.status, again.body) == (200, made.body), "nothing changes"
    # With its defaults: where one manager owns a whole value, a default is a difference.
    completed = {name: value for name, value in made.json.items() if name != "status"} | {"metadata": metadata}
    other = await direct("PATCH", f"{path}?fieldManager=two", completed, media=APPLY)
    assert other.status == 200, "two managers may want the same"
    owned = {entry["manager"]: entry["fieldsV1"] for entry in other.json["metadata"]["managedFields"]}
    assert owned["one"].keys() <= owned["two"].keys()
    labelled = await direct("PATCH", f"{path}?fieldManager=three", {"metadata": {"labels": {"a": "b"}}}, media=MERGE)
    entry = next(each for each in labelled.json["metadata"]["managedFields"] if each["manager"] == "three")
    assert entry["fieldsV1"]["f:metadata"]["f:labels"]["f:a"] == {}
