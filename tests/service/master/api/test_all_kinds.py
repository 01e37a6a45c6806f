"""Each kind is created, read, changed, watched and deleted, and shown in a table."""

from __future__ import annotations

from typing import Any

import pytest

from master import kinds
from master.api.resources import Resources
from master.registry.resource import Resource
from tests.sample_objects import collection, example
from tests.service.master.api.bad_input.conftest import Direct, direct  # noqa: F401 - a fixture

WRITABLE = [kind for kind in kinds.ALL if kind.stored and "create" in kind.verbs]
# Kubernetes ignores the metadata in writes of these statuses.
KEEPING = ("podcertificaterequests", "servicecidrs", "storageversionmigrations", "resourceclaims", "devicetaintrules")
KEEPING += (
    "volumeattachments",
    "csinodes",
    "flowschemas",
    "prioritylevelconfigurations",
    "validatingadmissionpolicies",
)
STATUSES = [kind for kind in WRITABLE if kind.subresource("status")]
WITH_STATUS = [kind for kind in kinds.PASSIVE if kind.subresource("status")]
every_kind = pytest.mark.parametrize("kind", WRITABLE, ids=lambda kind: kind.resource)


@every_kind
async def test_the_life_of_an_object(direct: Direct, resources: Resources, kind: Resource[Any]) -> None:  # noqa: F811
    path, body = collection(kind), example(kind)
    name = body["metadata"]["name"]
    with resources.cache.subscribe(kind) as changes:
        made = await direct("POST", path, body)
        assert made.status == 201, made.json
        assert (made.json["apiVersion"], made.json["kind"]) == (kind.api_version, kind.kind)
        own = f"{path}/{name}"
        finalizers = made.json["metadata"].get("finalizers")
        read = await direct("GET", own)
        assert read.json == made.json
        same = await direct("PUT", own, read.json)
        assert same.json == made.json, "what was read can be sent back, and changes nothing"
        entries = [entry for entry in resources.cache.entries(kind) if entry.name == name]
        [row] = [kind.table.cells(entry.obj, resources.clock.now()) for entry in entries]
        assert len(row) == len(kind.table.columns)
        if kind in kinds.PASSIVE:
            assert None not in row, "a column without a value needs a text for it"
        changed = await direct.patch(own, {"metadata": {"labels": {"changed": "yes"}}})
        assert changed.status == 200, changed.json
        assert changed.json["metadata"]["resourceVersion"] != made.json["metadata"]["resourceVersion"]
        listed = await direct("GET", f"{path}?labelSelector=changed=yes")
        assert [item["metadata"]["name"] for item in listed.json["items"]] == [name]
        assert (await direct("DELETE", f"{own}?gracePeriodSeconds=0&propagationPolicy=Background")).status == 200
        if finalizers:
            # The controller that removes them does not run here.
            released = await direct.patch(own, {"metadata": {"finalizers": None}})
            assert released.status == 200, released.json
        if kind.kind != "Namespace":
            assert (await direct("GET", own)).status == 404
        seen = []
        while (batch := changes.take()) is not None:
            seen += [change.entry.name for change in batch.changes]
        assert seen.count(name) >= 3


@pytest.mark.parametrize("kind", WITH_STATUS, ids=lambda kind: kind.resource)
async def test_the_status_has_a_subresource(direct: Direct, kind: Resource[Any]) -> None:  # noqa: F811
    path, body = collection(kind), example(kind)
    made = await direct("POST", path, {**body, "status": {"noSuchField": 1}})
    assert made.status == 201
    own = f"{path}/{body['metadata']['name']}"
    before = (await direct("GET", own)).json
    kept = await direct("PUT", f"{own}/status", {**before, "metadata": {**before["metadata"], "labels": {"a": "b"}}})
    assert kept.status == 200, kept.json
    assert kept.json["status"] == before["status"] and kept.json.get("spec") == before.get("spec")


@pytest.mark.parametrize("kind", STATUSES, ids=lambda kind: kind.resource)
async def test_writes_of_most_statuses_change_annotations(direct: Direct, kind: Resource[Any]) -> None:  # noqa: F811
    path, body = collection(kind), example(kind)
    await direct("POST", path, body)
    own = f"{path}/{body['metadata']['name']}"
    changed = await direct.patch(f"{own}/status", {"metadata": {"annotations": {"a": "b"}}})
    assert changed.status == 200, changed.json
    assert ("a" in changed.json["metadata"].get("annotations", {})) == (kind.plural not in KEEPING)
    refused = await direct.patch(f"{own}/status", {"metadata": {"annotations": {"wrong key": "b"}}})
    assert refused.status == (200 if kind.plural in KEEPING else 422)
