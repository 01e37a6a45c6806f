"""Server-side apply and managedFields as a client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.masters import Client, Reply

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"
PODS = "/api/v1/namespaces/default/pods"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def config(data: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}
    return body if data is None else {**body, "data": data}


def controller(spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"}, "spec": spec}


def spec(image: str = "nginx:1", **more: Any) -> dict[str, Any]:
    container = {"name": "app", "image": image, "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {"selector": {"app": "web"}, "template": template, **more}


async def apply(api: Client, path: str, body: Any, manager: str = "alice", query: str = "") -> Reply:
    return await api("PATCH", f"{path}?fieldManager={manager}{query}", body, headers=APPLY)


def owners(obj: dict[str, Any]) -> dict[tuple[str, str, str], Any]:
    """The fields by manager, operation and subresource."""
    entries = obj["metadata"].get("managedFields", [])
    assert all(entry["fieldsType"] == "FieldsV1" and entry["apiVersion"] == "v1" for entry in entries)
    return {(each["manager"], each["operation"], each.get("subresource", "")): each["fieldsV1"] for each in entries}


async def test_apply_creates_changes_and_removes_what_it_no_longer_names(api: Client) -> None:
    made = await apply(api, f"{CONFIGMAPS}/c", config({"a": "1", "b": "2"}))
    assert made.status == 201
    assert owners(made.json) == {("alice", "Apply", ""): {"f:data": {"f:a": {}, "f:b": {}}}}
    changed = await apply(api, f"{CONFIGMAPS}/c", config({"a": "3"}))
    assert (changed.status, changed.json["data"]) == (200, {"a": "3"})
    again = await apply(api, f"{CONFIGMAPS}/c", config({"a": "3"}))
    assert again.json == changed.json, "an apply that changes nothing writes nothing"


async def test_a_conflict_names_the_fields_and_their_manager_and_force_takes_them(api: Client) -> None:
    await apply(api, f"{CONFIGMAPS}/c", config({"a": "1", "b": "1"}))
    refused = await apply(api, f"{CONFIGMAPS}/c", config({"a": "2", "b": "1"}), "bob")
    assert (refused.status, refused.json["reason"]) == (409, "Conflict")
    assert refused.json["message"] == 'Apply failed with 1 conflict: conflict with "alice": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "alice"', "field": ".data.a"}
    assert refused.json["details"] == {"causes": [cause]}
    forced = await apply(api, f"{CONFIGMAPS}/c", config({"a": "2", "b": "1"}), "bob", "&force=true")
    assert owners(forced.json) == {
        ("alice", "Apply", ""): {"f:data": {"f:b": {}}},
        ("bob", "Apply", ""): {"f:data": {"f:a": {}, "f:b": {}}},
    }
    left = await apply(api, f"{CONFIGMAPS}/c", config({"a": "2"}), "bob")
    assert left.json["data"] == {"a": "2", "b": "1"}, "another manager still owns b"


async def test_updates_and_patches_take_fields_for_the_program_of_the_user_agent(api: Client) -> None:
    await api("POST", CONFIGMAPS, config({"a": "1", "b": "1"}), headers={"User-Agent": "maker/1.2 (linux)"})
    patched = await api("PATCH", f"{CONFIGMAPS}/c", {"data": {"b": "2"}}, headers={**MERGE, "User-Agent": "editor/3"})
    assert owners(patched.json) == {
        ("maker", "Update", ""): {"f:data": {".": {}, "f:a": {}}},
        ("editor", "Update", ""): {"f:data": {"f:b": {}}},
    }
    named = await api("PUT", f"{CONFIGMAPS}/c?fieldManager=third", config({"a": "1", "b": "3"}))
    assert ("third", "Update", "") in owners(named.json) and ("editor", "Update", "") not in owners(named.json)
    same = await api("PUT", f"{CONFIGMAPS}/c?fieldManager=fourth", config({"a": "1", "b": "3"}))
    assert same.json == named.json, "a write without a change has no manager"


async def test_a_client_can_set_and_reset_managed_fields(api: Client) -> None:
    made = await api("POST", f"{CONFIGMAPS}?fieldManager=one", config({"a": "1"}))
    entries = made.json["metadata"]["managedFields"]
    renamed = [{**entries[0], "manager": "two", "operation": "Apply"}]
    put = await api("PUT", f"{CONFIGMAPS}/c", config({"a": "1"}, managedFields=renamed))
    assert list(owners(put.json)) == [("two", "Apply", "")]
    wrong = [{**entries[0], "operation": "Steal"}]
    kept = await api("PUT", f"{CONFIGMAPS}/c", config({"a": "1"}, managedFields=wrong))
    assert owners(kept.json) == owners(put.json), "entries that are not valid are ignored"
    reset = await api("PATCH", f"{CONFIGMAPS}/c", {"metadata": {"managedFields": [{}]}}, headers=MERGE)
    assert "managedFields" not in reset.json["metadata"]
    later = await apply(api, f"{CONFIGMAPS}/c", config({"a": "2"}), "alice")
    assert later.json["message"] == (
        'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
    )


async def test_lists_are_merged_by_their_keys(api: Client) -> None:
    path = f"{CONTROLLERS}/web"
    assert (await apply(api, path, controller(spec(replicas=1)))).status == 201
    container = {"name": "app", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 81}]}
    sidecar = {"name": "sidecar", "image": "nginx:2"}
    more = controller({"template": {"spec": {"containers": [container, sidecar]}}})
    merged = await apply(api, path, more, "bob")
    assert merged.status == 200, merged.json
    containers = merged.json["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["app", "sidecar"]
    assert containers[0]["image"] == "nginx:1"
    assert [port["containerPort"] for port in containers[0]["ports"]] == [80, 81]
    key = 'k:{"containerPort":81,"protocol":"TCP"}'
    owned = owners(merged.json)["bob", "Apply", ""]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert owned['k:{"name":"app"}']["f:ports"] == {key: {".": {}, "f:containerPort": {}}}
    less = await apply(api, path, controller({"template": {"spec": {"containers": [sidecar]}}}), "bob")
    first = less.json["spec"]["template"]["spec"]["containers"][0]
    assert [port["containerPort"] for port in first["ports"]] == [80] and "env" not in first


async def test_the_scale_and_the_status_have_entries_of_their_own(api: Client) -> None:
    path = f"{CONTROLLERS}/web"
    await apply(api, path, controller(spec(replicas=1)))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    refused = await apply(api, f"{path}/scale", scale, "scaler")
    assert refused.json["message"] == 'Apply failed with 1 conflict: conflict with "alice": .spec.replicas'
    forced = await apply(api, f"{path}/scale", scale, "scaler", "&force=true")
    assert (forced.status, forced.json["kind"], forced.json["spec"]) == (200, "Scale", {"replicas": 3})
    status = {**controller({"replicas": 9}), "status": {"observedGeneration": 5}}
    status["metadata"] |= {"annotations": {"seen": "yes"}, "finalizers": ["example.com/f"]}
    applied = await apply(api, f"{path}/status", status, "observer")
    assert applied.json["spec"]["replicas"] == 3, "the spec is not a part of the status"
    assert applied.json["metadata"]["annotations"] == {"seen": "yes"}, "but annotations are"
    patch = {"status": {"replicas": 1}}
    await api("PATCH", f"{path}/status?fieldManager=patcher", patch, headers=MERGE)
    await api("PUT", f"{path}/scale?fieldManager=hand", {**scale, "spec": {"replicas": 4}})
    found = owners((await api("GET", path)).json)
    assert found["hand", "Update", "scale"] == {"f:spec": {"f:replicas": {}}}
    assert ("scaler", "Apply", "scale") not in found
    assert found["observer", "Apply", "status"] == {
        "f:metadata": {"f:annotations": {"f:seen": {}}},
        "f:status": {"f:observedGeneration": {}},
    }
    assert found["patcher", "Update", "status"] == {"f:status": {"f:replicas": {}}}
    assert "f:replicas" not in found["alice", "Apply", ""]["f:spec"]


async def test_a_list_with_one_owner_changes_as_a_whole(api: Client) -> None:
    body = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "metadata": {"name": "s"}}
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    await api("POST", f"{slices}?fieldManager=one", body)
    patch = {"endpoints": [{"addresses": ["10.0.0.2"]}]}
    changed = await api("PATCH", f"{slices}/s?fieldManager=two", patch, headers=MERGE)
    entries = {each["manager"]: each["fieldsV1"] for each in changed.json["metadata"]["managedFields"]}
    assert entries == {"one": {"f:addressType": {}}, "two": {"f:endpoints": {}}}
    emptied = await api("PATCH", f"{slices}/s?fieldManager=three", {"endpoints": []}, headers=MERGE)
    entries = {each["manager"]: each["fieldsV1"] for each in emptied.json["metadata"]["managedFields"]}
    assert entries["three"] == {"f:endpoints": {}} and "two" not in entries


@pytest.mark.parametrize(
    ("metadata", "status"),
    [({"name": "other"}, 400), ({"uid": "u"}, 409), ({"resourceVersion": "1"}, 409), ({}, 200)],
    ids=["name", "uid", "version", "none"],
)
async def test_a_scale_is_applied_to_the_object_that_it_names(
    api: Client, metadata: dict[str, Any], status: int
) -> None:
    await apply(api, f"{CONTROLLERS}/web", controller(spec()))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": 3}}
    assert (await apply(api, f"{CONTROLLERS}/web/scale", scale)).status == status


async def test_a_dry_run_shows_the_result_and_writes_nothing(api: Client) -> None:
    dry = await apply(api, f"{CONFIGMAPS}/c", config({"a": "1"}), query="&dryRun=All")
    assert dry.status == 201 and dry.json["data"] == {"a": "1"}
    assert (await api("GET", f"{CONFIGMAPS}/c")).status == 404


async def test_fields_that_the_server_sets_have_no_manager(api: Client) -> None:
    body = {**controller(spec()), "status": {"replicas": 9}}
    found = owners((await api("POST", f"{CONTROLLERS}?fieldManager=maker", body)).json)
    assert list(found) == [("maker", "Update", "")]
    assert found["maker", "Update", ""].keys() == {"f:metadata", "f:spec"}
    assert "f:replicas" in found["maker", "Update", ""]["f:spec"], "but defaults belong to who made the object"


async def test_kubectl_takes_over_what_it_applied_on_the_client(api: Client) -> None:
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"}}'
    made = config({"a": "1", "b": "1"}, annotations={annotation: last})
    await api("POST", f"{CONFIGMAPS}?fieldManager=kubectl-client-side-apply", made)
    refused = await apply(api, f"{CONFIGMAPS}/c", config({"a": "2", "b": "2"}), "kubectl")
    assert [each["field"] for each in refused.json["details"]["causes"]] == [".data.b"]
    applied = await apply(api, f"{CONFIGMAPS}/c", config({"a": "2"}), "kubectl")
    assert applied.status == 200
    text = '{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"c"}}\n'
    assert applied.json["metadata"]["annotations"][annotation] == text


@pytest.mark.parametrize(
    ("body", "query", "status", "message"),
    [
        (config(), "?fieldManager=", 422, "fieldManager: Required value: is required for apply patch"),
        (config(), f"?fieldManager={'x' * 129}", 422, "fieldManager: Invalid value"),
        (config(), "?fieldManager=a%0Ab", 422, "invalid character U+000A (at position 1)"),
        (config(), "?fieldManager=a&force=maybe", 400, "force"),
        (config(managedFields=[]), "?fieldManager=a", 400, "metadata.managedFields must be nil"),
        ({"kind": "ConfigMap"}, "?fieldManager=a", 400, "invalid object type"),
        ({**config(), "apiVersion": "v2"}, "?fieldManager=a", 400, "invalid object type: v2, Kind=ConfigMap"),
        ({**config(), "metadata": {"name": "d"}}, "?fieldManager=a", 400, "does not match the name on the URL"),
        (config(uid="u"), "?fieldManager=a", 409, "uid mismatch"),
        ({**config(), "daat": {}}, "?fieldManager=a", 400, ".daat: field not declared in schema"),
        ({**config(), "data": {"a": 1}}, "?fieldManager=a", 400, "data[a]: Expected `str`"),
        (b"a: [", "?fieldManager=a", 400, "not YAML"),
        (b"- a", "?fieldManager=a", 400, "must be an object"),
    ],
)
async def test_a_bad_apply_is_refused(api: Client, body: Any, query: str, status: int, message: str) -> None:
    response = await api("PATCH", f"{CONFIGMAPS}/c{query}", body, headers=APPLY)
    assert (response.status, message in response.json["message"]) == (status, True), response.json


async def test_items_with_the_same_keys_are_refused(api: Client) -> None:
    twice = spec()
    twice["template"]["spec"]["containers"] *= 2
    refused = await apply(api, f"{CONTROLLERS}/web", controller(twice))
    where = '.spec.template.spec.containers: duplicate entries for key [name="app"]'
    assert refused.status == 400 and refused.json["message"].endswith(where)


async def test_only_an_apply_can_be_forced(api: Client) -> None:
    await api("POST", CONFIGMAPS, config())
    refused = await api("PATCH", f"{CONFIGMAPS}/c?force=true", {"data": {}}, headers=MERGE)
    assert refused.status == 422
    assert "force: Forbidden: may not be specified for non-apply patch" in refused.json["message"]


@pytest.mark.parametrize(
    "text",
    [
        b"{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: '1'}}",
        b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}} # a comment',
    ],
    ids=["flow", "comment"],
)
async def test_yaml_that_begins_like_json_is_yaml(api: Client, text: bytes) -> None:
    made = await apply(api, f"{CONFIGMAPS}/c", text)
    assert (made.status, made.json["data"]) == (201, {"a": "1"})


async def test_an_apply_in_yaml_with_a_stale_version_is_a_conflict(api: Client) -> None:
    text = b"# in YAML\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: '1'\n"
    made = await apply(api, f"{CONFIGMAPS}/c", text)
    assert made.json["data"] == {"a": "1"}
    await api("PATCH", f"{CONFIGMAPS}/c", {"data": {"b": "1"}}, headers=MERGE)
    stale = config({"a": "2"}, resourceVersion=made.json["metadata"]["resourceVersion"])
    refused = await apply(api, f"{CONFIGMAPS}/c", stale)
    assert refused.status == 409 and "modified" in refused.json["message"]
