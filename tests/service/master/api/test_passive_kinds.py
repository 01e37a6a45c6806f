"""A kind that exists only as data is served like any other."""

from __future__ import annotations

from typing import Any

import pytest

from master import kinds
from tests.masters import Client
from tests.sample_objects import collection, example

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RUNTIMES = "/apis/node.k8s.io/v1/runtimeclasses"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
MERGE = {"Content-Type": "application/merge-patch+json"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


def priority(name: str = "high", value: int = 5, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "value": value, **fields}


def causes(reply: Any) -> list[tuple[str, str]]:
    return [(cause["field"], cause["reason"]) for cause in reply.json["details"]["causes"]]


async def test_an_object_is_created_changed_and_deleted(api: Client) -> None:
    made = await api("POST", CLASSES, priority())
    assert made.status == 201
    assert (made.json["apiVersion"], made.json["kind"]) == ("scheduling.k8s.io/v1", "PriorityClass")
    assert made.json["preemptionPolicy"] == "PreemptLowerPriority", "the default"
    assert made.json["metadata"]["generation"] == 1
    got = await api("GET", f"{CLASSES}/high")
    assert got.json == made.json
    patched = await api("PATCH", f"{CLASSES}/high", {"description": "for all"}, headers=MERGE)
    assert (patched.status, patched.json["description"]) == (200, "for all")
    put = await api("PUT", f"{CLASSES}/high", {**patched.json, "globalDefault": True})
    assert put.json["globalDefault"] is True and put.json["metadata"]["generation"] == 1
    same = await api("PUT", f"{CLASSES}/high", put.json)
    assert same.json["metadata"]["resourceVersion"] == put.json["metadata"]["resourceVersion"]
    stale = await api("PUT", f"{CLASSES}/high", made.json)
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    again = await api("POST", CLASSES, priority())
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")
    gone = await api("DELETE", f"{CLASSES}/high")
    assert gone.json["status"] == "Success"
    assert (await api("GET", f"{CLASSES}/high")).status == 404


@pytest.mark.parametrize(
    ("path", "sent", "stored"),
    [
        (CLASSES, {"value": 5}, {"value": 5, "preemptionPolicy": "PreemptLowerPriority"}),
        (RUNTIMES, {"handler": "h"}, {"handler": "h"}),
        (
            STORAGE,
            {"provisioner": "a.example/b"},
            {"provisioner": "a.example/b", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
        ),
    ],
)
async def test_defaults_are_those_of_kubernetes(
    api: Client, path: str, sent: dict[str, Any], stored: dict[str, Any]
) -> None:
    made = (await api("POST", path, {"metadata": {"name": "x"}, **sent})).json
    assert {name: made[name] for name in made if name not in ("apiVersion", "kind", "metadata")} == stored
    assert made["metadata"].get("generation") == (1 if path == CLASSES else None)


async def test_a_value_of_0_is_shown(api: Client) -> None:
    made = await api("POST", CLASSES, {"metadata": {"name": "zero"}})
    assert made.json["value"] == 0


@pytest.mark.parametrize(
    ("path", "body", "problems"),
    [
        (CLASSES, priority(value=1_000_000_001), [("value", "FieldValueInvalid")]),
        (CLASSES, priority(preemptionPolicy="Maybe"), [("preemptionPolicy", "FieldValueNotSupported")]),
        (CLASSES, priority("system-mine"), [("metadata.name", "FieldValueInvalid")]),
        (CLASSES, priority("A"), [("metadata.name", "FieldValueInvalid")]),
        (RUNTIMES, {"metadata": {"name": "r"}}, [("handler", "FieldValueRequired")]),
        (RUNTIMES, {"metadata": {"name": "r"}, "handler": "a_b"}, [("handler", "FieldValueInvalid")]),
        (STORAGE, {"metadata": {"name": "s"}, "provisioner": ""}, [("provisioner", "FieldValueRequired")]),
        (
            RUNTIMES,
            {"metadata": {"name": "r"}, "handler": "h", "scheduling": {"tolerations": [{"operator": "Is"}]}},
            [("scheduling.tolerations[0].operator", "FieldValueNotSupported")],
        ),
    ],
)
async def test_rules(api: Client, path: str, body: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    refused = await api("POST", path, body)
    assert (refused.status, refused.json["reason"]) == (422, "Invalid")
    assert causes(refused) == problems


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"value": 6}, ["value"]),
        ({"preemptionPolicy": "Never"}, ["preemptionPolicy"]),
        ({"value": 6, "preemptionPolicy": "Never"}, ["preemptionPolicy", "value"]),
    ],
)
async def test_immutable_fields(api: Client, change: dict[str, Any], fields: list[str]) -> None:
    await api("POST", CLASSES, priority())
    refused = await api("PATCH", f"{CLASSES}/high", change, headers=MERGE)
    assert refused.status == 422
    assert causes(refused) == [(field, "FieldValueInvalid") for field in fields]


async def test_a_wrong_type_is_refused_with_its_path(api: Client) -> None:
    refused = await api("POST", CLASSES, priority(value="5"))  # type: ignore[arg-type]
    assert refused.status == 400
    assert refused.json["details"]["causes"][0]["field"] == "value"
    tolerations = {"tolerations": [{"tolerationSeconds": "1"}]}
    refused = await api("POST", RUNTIMES, {"metadata": {"name": "r"}, "handler": "h", "scheduling": tolerations})
    assert refused.json["details"]["causes"][0]["field"] == "scheduling.tolerations[0].tolerationSeconds"


async def test_unknown_fields(api: Client) -> None:
    body = priority(globalDefalt=True)
    strict = await api("POST", f"{CLASSES}?fieldValidation=Strict", body)
    assert strict.status == 400
    assert 'unknown field "globalDefalt", did you mean "globalDefault"?' in strict.json["message"]
    warned = await api("POST", CLASSES, body)
    assert warned.status == 201 and "globalDefalt" not in warned.json
    assert "unknown field" in warned.headers["Warning"]
    double = await api("POST", f"{CLASSES}?fieldValidation=Strict", b'{"value": 1, "value": 2}')
    assert double.status == 400 and "duplicate field" in double.json["message"]


async def test_a_dry_run_stores_nothing(api: Client) -> None:
    made = await api("POST", f"{CLASSES}?dryRun=All", priority())
    assert made.status == 201 and made.json["preemptionPolicy"] == "PreemptLowerPriority"
    assert (await api("GET", f"{CLASSES}/high")).status == 404
    await api("POST", CLASSES, priority())
    changed = await api("PATCH", f"{CLASSES}/high?dryRun=All", {"description": "x"}, headers=MERGE)
    assert changed.json["description"] == "x"
    assert "description" not in (await api("GET", f"{CLASSES}/high")).json


async def test_lists_tables_and_selectors(api: Client) -> None:
    await api("POST", CLASSES, {**priority("a"), "metadata": {"name": "a", "labels": {"t": "1"}}})
    await api("POST", CLASSES, priority("b", 7, globalDefault=True, preemptionPolicy="Never"))
    listed = await api("GET", CLASSES)
    assert (listed.json["kind"], listed.json["apiVersion"]) == ("PriorityClassList", "scheduling.k8s.io/v1")
    for selector, expected in (
        ("labelSelector=t=1", ["a"]),
        ("labelSelector=!t", ["b"]),
        ("fieldSelector=metadata.name=b", ["b"]),
        ("fieldSelector=metadata.name!=b", ["a"]),
    ):
        items = (await api("GET", f"{CLASSES}?{selector}")).json["items"]
        assert [item["metadata"]["name"] for item in items] == expected, selector
    unknown = await api("GET", f"{CLASSES}?fieldSelector=value=5")
    assert unknown.status == 400
    table = (await api("GET", CLASSES, headers=TABLE)).json
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names == ["Name", "Value", "Global-Default", "Age", "PreemptionPolicy"]
    assert [row["cells"] for row in table["rows"]] == [
        ["a", 5, False, "0s", "PreemptLowerPriority"],
        ["b", 7, True, "0s", "Never"],
    ]


async def test_watches(api: Client) -> None:
    made = await api("POST", CLASSES, priority("a"))
    since = made.json["metadata"]["resourceVersion"]
    await api("PATCH", f"{CLASSES}/a", {"description": "x"}, headers=MERGE)
    await api("DELETE", f"{CLASSES}/a")
    events = await api.watch(f"{CLASSES}?watch=1&resourceVersion={since}", lambda events: len(events) == 2)
    assert [(event["type"], event["object"]["description"]) for event in events] == [
        ("MODIFIED", "x"),
        ("DELETED", "x"),
    ]
    await api("POST", CLASSES, priority("b"))
    [first] = await api.watch(f"{CLASSES}?watch=1", lambda events: len(events) == 1, table=True)
    assert first["object"]["rows"][0]["cells"][:2] == ["b", 5]


async def test_finalizers_hold_an_object(api: Client) -> None:
    body = priority()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await api("POST", CLASSES, body)
    marked = await api("DELETE", f"{CLASSES}/high")
    assert marked.json["metadata"]["deletionTimestamp"]
    held = await api("GET", f"{CLASSES}/high")
    assert held.status == 200 and held.json["metadata"]["generation"] == 2
    released = await api("PATCH", f"{CLASSES}/high", {"metadata": {"finalizers": None}}, headers=MERGE)
    assert released.status == 200
    assert (await api("GET", f"{CLASSES}/high")).status == 404


async def test_deletecollection(api: Client) -> None:
    for name in ("a", "b"):
        await api("POST", CLASSES, priority(name))
    await api("DELETE", f"{CLASSES}?fieldSelector=metadata.name=a")
    assert [item["metadata"]["name"] for item in (await api("GET", CLASSES)).json["items"]] == ["b"]


async def test_discovery(api: Client) -> None:
    groups = {group["name"]: group for group in (await api("GET", "/apis")).json["groups"]}
    assert groups["scheduling.k8s.io"]["preferredVersion"]["groupVersion"] == "scheduling.k8s.io/v1"
    [resource] = (await api("GET", "/apis/scheduling.k8s.io/v1")).json["resources"]
    assert resource["name"] == "priorityclasses" and resource["shortNames"] == ["pc"]
    assert (resource["namespaced"], resource["kind"], resource["singularName"]) == (
        False,
        "PriorityClass",
        "priorityclass",
    )


async def test_an_autoscaler_is_one_object_in_two_versions(api: Client) -> None:
    kind = next(kind for kind in kinds.PASSIVE if kind.kind == "HorizontalPodAutoscaler")
    first, second = collection(kind, "v1"), collection(kind, "v2")
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3}
    body = {"metadata": {"name": "h"}, "spec": {**spec, "targetCPUUtilizationPercentage": 50}}
    made = await api("POST", first, body)
    assert (made.status, made.json["apiVersion"]) == (201, "autoscaling/v1")
    assert made.json["spec"] == {**spec, "minReplicas": 1, "targetCPUUtilizationPercentage": 50}
    [metric] = (await api("GET", f"{second}/h")).json["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    changed = await api("PATCH", f"{first}/h", {"spec": {"targetCPUUtilizationPercentage": 60}}, headers=MERGE)
    assert changed.status == 200, changed.json
    [row] = (await api("GET", second, headers=TABLE)).json["rows"]
    assert row["cells"] == ["h", "Deployment/d", "cpu: <unknown>/60%", 1, 3, 0, "0s"]


async def test_a_certificate_request_is_approved_and_issued_by_subresources(api: Client) -> None:
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    kind = next(kind for kind in kinds.PASSIVE if kind.kind == "CertificateSigningRequest")
    body = example(kind)
    made = await api("POST", path, {**body, "spec": {**body["spec"], "username": "somebody else"}})
    assert made.json["spec"]["username"] == "sampan-admin" and "system:masters" in made.json["spec"]["groups"]
    condition = {"type": "Approved", "status": "True", "reason": "Tests"}
    for suffix in ("", "/status"):
        refused = await api("PUT", f"{path}/x{suffix}", {**made.json, "status": {"conditions": [condition]}})
        assert refused.status == (200 if suffix == "" else 422)
    assert "conditions" not in (await api("GET", f"{path}/x")).json["status"], "only the approval sets it"
    approved = await api("PUT", f"{path}/x/approval", {**made.json, "status": {"conditions": [condition]}})
    assert approved.status == 200, approved.json
    assert approved.json["status"]["conditions"][0]["lastUpdateTime"]
    denied = [*approved.json["status"]["conditions"], {"type": "Denied", "status": "True"}]
    both = await api("PUT", f"{path}/x/approval", {**approved.json, "status": {"conditions": denied}})
    assert causes(both) == [("status.conditions", "FieldValueInvalid")]
    [row] = (await api("GET", path, headers=TABLE)).json["rows"]
    assert row["cells"][-1] == "Approved"


async def test_a_kind_without_effect_is_answered_with_a_warning(api: Client) -> None:
    kind = next(kind for kind in kinds.PASSIVE if kind.kind == "CustomResourceDefinition")
    made = await api("POST", collection(kind), example(kind))
    assert made.status == 201 and "has no effect yet: the kind is not served" in made.headers["Warning"]


async def test_some_kinds_are_not_replaced_without_their_version(api: Client) -> None:
    await api("POST", RUNTIMES, {"metadata": {"name": "r"}, "handler": "h"})
    refused = await api("PUT", f"{RUNTIMES}/r", {"metadata": {"name": "r"}, "handler": "h"})
    assert (refused.status, causes(refused)) == (422, [("metadata.resourceVersion", "FieldValueInvalid")])
    await api("POST", STORAGE, {"metadata": {"name": "s"}, "provisioner": "a.example/b"})
    assert (await api("PUT", f"{STORAGE}/s", {"metadata": {"name": "s"}, "provisioner": "a.example/b"})).status == 200
