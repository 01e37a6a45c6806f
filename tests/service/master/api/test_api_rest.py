"""The REST API as a client sees it, over TLS on loopback."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest

from master.kinds.core.node import CORDONED_BY_DRAIN
from master.store.memory import MemoryStore
from tests.masters import Client

PODS = "/api/v1/namespaces/default/pods"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"
MERGE = {"Content-Type": "application/merge-patch+json"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


def pod(name: str = "web", **labels: str) -> dict[str, Any]:
    containers = [{"name": "app", "image": "nginx:1"}]
    return {"metadata": {"name": name, "labels": labels}, "spec": {"containers": containers}}


def controller(name: str = "web", replicas: int = 1) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod()["spec"]}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "template": template}}


async def test_an_object_is_created_changed_and_deleted(api: Client) -> None:
    made = await api("POST", CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    assert made.status == 201
    meta = made.json["metadata"]
    assert meta["uid"] and meta["creationTimestamp"] and meta["namespace"] == "default"
    got = await api("GET", f"{CONFIGMAPS}/c/")
    assert got.json == made.json, "POST and GET return the same object"
    changed = await api("PATCH", f"{CONFIGMAPS}/c", {"data": {"a": None, "b": "2"}}, headers=MERGE)
    assert changed.json["data"] == {"b": "2"}
    stale = await api("PUT", f"{CONFIGMAPS}/c", {**made.json, "data": {}})
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    unconditional = {"metadata": {"name": "c"}, "data": {"z": "9"}}
    put = await api("PUT", f"{CONFIGMAPS}/c", unconditional)
    assert put.status == 200 and put.json["metadata"]["uid"] == meta["uid"]
    again = await api("PUT", f"{CONFIGMAPS}/c", unconditional)
    assert again.json["metadata"]["resourceVersion"] == put.json["metadata"]["resourceVersion"]
    gone = await api("DELETE", f"{CONFIGMAPS}/c")
    assert (gone.json["kind"], gone.json["status"], gone.json["details"]["kind"]) == ("Status", "Success", "configmaps")
    missing = await api("GET", f"{CONFIGMAPS}/c")
    assert missing.status == 404
    assert missing.json["details"] == {"name": "c", "kind": "configmaps"}


async def test_a_missing_content_type_means_json(api: Client) -> None:
    made = await api("POST", CONFIGMAPS, {"metadata": {"name": "c"}}, headers={"Content-Type": ""})
    assert made.status == 201


async def test_yaml_is_read_as_kubectl_reads_it(api: Client) -> None:
    body = b"metadata: {name: c, creationTimestamp: null}\ndata: {day: 2024-01-01, at: 12:30:45, a: &a x, yes: *a}\n"
    made = await api("POST", CONFIGMAPS, body, headers={"Content-Type": "application/yaml"})
    assert made.json["data"] == {"day": "2024-01-01", "at": "12:30:45", "a": "x", "true": "x"}
    body = b"metadata: {name: p}\nspec: {containers: [{name: c, image: i, ports: [{containerPort: 0o120}]}]}\n"
    made = await api("POST", PODS, body, headers={"Content-Type": "application/yaml"})
    assert made.json["spec"]["containers"][0]["ports"][0]["containerPort"] == 80


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "message"),
    [
        ("POST", PODS, b"{", {}, 400, "not JSON"),
        ("POST", PODS, b"a: [", {"Content-Type": "application/yaml"}, 400, "not YAML"),
        ("POST", PODS, b"a: *x", {"Content-Type": "application/yaml"}, 400, "line 1, column 4: no value before this"),
        ("POST", PODS, b"k8s\0", {"Content-Type": "application/vnd.kubernetes.protobuf"}, 400, "it has no object"),
        ("POST", PODS, b"k8s\0", {"Content-Type": "application/cbor"}, 415, "unknown format"),
        ("POST", PODS, {"kind": "Service", "apiVersion": "v1"}, {}, 400, "the body is a Service"),
        ("POST", PODS, {"spec": {"containers": "none"}}, {}, 400, "spec.containers: Expected `array`"),
        ("POST", PODS, {**pod(), "metadata": {"name": "a", "namespace": "x"}}, {}, 400, "does not match"),
        ("POST", "/api/v1/namespaces/none/pods", pod(), {}, 404, 'namespaces "none" not found'),
        ("POST", PODS, b" " * (4 << 20), {}, 413, "3 MiB"),
        ("PATCH", f"{PODS}/a", {}, {"Content-Type": "application/json"}, 415, "strategic-merge-patch"),
        ("GET", "/api/v1/widgets", None, {}, 404, "could not find"),
        ("GET", "/apis/apps/v2/deployments", None, {}, 404, "could not find"),
        ("GET", "/openapi/v1", None, {}, 404, "could not find"),
        ("PUT", PODS, pod(), {}, 405, "does not allow"),
        ("GET", PODS, None, {"Accept": "application/vnd.kubernetes.protobuf"}, 406, "application/json"),
        ("GET", f"{PODS}?labelSelector=a+in+b", None, {}, 400, "requirement: found 'b' expected: '('"),
        ("GET", f"{PODS}?fieldSelector=spec.foo=1", None, {}, 400, "not supported: spec.foo"),
        ("GET", f"{PODS}?resourceVersion=99999", None, {}, 504, "Too large resource version"),
        ("GET", f"{PODS}?watch=1&resourceVersion=99999", None, {}, 504, "Too large resource version"),
        (
            "GET",
            f"{PODS}?watch=1&sendInitialEvents=true&resourceVersion=99999",
            None,
            {},
            504,
            "Too large resource version",
        ),
        ("GET", f"{PODS}?continue=abc", None, {}, 400, "continue"),
        (
            "GET",
            f"{PODS}?continue=eyJyZXZpc2lvbiI6MSwibmFtZXNwYWNlIjoiIiwibmFtZSI6ImEifQ&resourceVersion=0&resourceVersionMatch=NotOlderThan",
            None,
            {},
            400,
            "resourceVersionMatch is forbidden when continue is provided",
        ),
        ("POST", f"{PODS}?dryRun=some", pod(), {}, 400, "dryRun"),
        ("DELETE", f"{PODS}/none", None, {}, 404, 'pods "none" not found'),
    ],
)
async def test_bad_requests_get_a_status(
    api: Client, method: str, path: str, body: Any, headers: dict[str, str], status: int, message: str
) -> None:
    answer = await api(method, path, body, headers=headers)
    assert answer.status == status, answer.body
    assert answer.json["kind"] == "Status" and answer.json["code"] == status
    assert message in answer.json["message"]


async def test_unknown_fields_are_reported_refused_or_ignored(api: Client) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80, "prot": 1}]}, "selector": {"a": "b"}}
    warned = await api("POST", SERVICES, body)
    assert warned.status == 201
    assert warned.headers.getall("Warning") == [
        '299 - "unknown field \\"spec.ports[0].prot\\", did you mean \\"port\\"?"',
        '299 - "unknown field \\"selector\\", did you mean \\"spec.selector\\"?"',
    ]
    body["metadata"] = {"name": "t"}
    refused = await api("POST", f"{SERVICES}?fieldValidation=Strict", body)
    assert refused.status == 400
    assert [cause["field"] for cause in refused.json["details"]["causes"]] == ["spec.ports[0].prot", "selector"]
    ignored = await api("POST", f"{SERVICES}?fieldValidation=Ignore", body)
    assert ignored.status == 201 and "Warning" not in ignored.headers


async def test_a_field_without_effect_is_answered_with_a_warning(api: Client) -> None:
    effect = "a change of resources would restart the container, or not"
    warning = f'299 - "spec.containers[0].resizePolicy: has no effect yet: {effect}"'
    resize = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
    body = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "a", "image": "i", "resizePolicy": resize}]}}
    for query in ("?dryRun=All", "?fieldValidation=Strict"):
        made = await api("POST", f"{PODS}{query}", body)
        assert (made.status, made.headers.getall("Warning")) == (201, [warning])
    merge = {"Content-Type": "application/merge-patch+json"}
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    assert "Warning" not in (await api("POST", SERVICES, service)).headers
    for query in ("?dryRun=All", ""):
        patch = {"spec": {"internalTrafficPolicy": "Local"}}
        patched = await api("PATCH", f"{SERVICES}/web{query}", patch, headers=merge)
        assert patched.status == 200
        (only,) = patched.headers.getall("Warning")
        assert only.startswith('299 - "spec.internalTrafficPolicy: has no effect yet: ')


async def test_a_dry_run_stores_nothing(api: Client) -> None:
    before = api.resources.cache.revision
    assert (await api("POST", f"{PODS}?dryRun=All", pod())).json["spec"]["restartPolicy"] == "Always"
    await api("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
    assert (await api("DELETE", f"{CONFIGMAPS}/c?dryRun=All")).status == 200
    assert (await api("PATCH", f"{CONFIGMAPS}/c?dryRun=All", {"data": {"a": "1"}}, headers=MERGE)).status == 200
    assert api.resources.cache.revision == before + 1


async def test_names_are_generated(api: Client) -> None:
    body = {"metadata": {"generateName": "c-"}}
    names = {(await api("POST", CONFIGMAPS, body)).json["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5 and all(name.startswith("c-") and len(name) == 7 for name in names)


async def test_the_same_name_twice_is_refused(api: Client) -> None:
    await api("POST", PODS, pod())
    again = await api("POST", PODS, pod())
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")


async def test_status_and_spec_are_updated_separately(api: Client) -> None:
    made = await api("POST", CONTROLLERS, controller())
    body = made.json
    body["status"] = {"replicas": 5}
    body["spec"]["replicas"] = 3
    plain = await api("PUT", f"{CONTROLLERS}/web", body)
    assert plain.json["spec"]["replicas"] == 3 and plain.json["status"]["replicas"] == 0
    assert plain.json["metadata"]["generation"] == 2
    body["metadata"]["resourceVersion"] = ""
    body["spec"]["replicas"] = 7
    status = await api("PUT", f"{CONTROLLERS}/web/status", body)
    assert status.json["spec"]["replicas"] == 3 and status.json["status"]["replicas"] == 5
    assert status.json["metadata"]["generation"] == 2


async def test_scale_supports_get_put_and_patch(api: Client) -> None:
    await api("POST", CONTROLLERS, controller())
    scale = await api("GET", f"{CONTROLLERS}/web/scale")
    assert scale.json["kind"] == "Scale" and scale.json["spec"] == {"replicas": 1}
    assert scale.json["status"] == {"replicas": 0, "selector": "app=web"}
    put = await api("PUT", f"{CONTROLLERS}/web/scale", {**scale.json, "spec": {"replicas": 4}})
    assert put.json["spec"]["replicas"] == 4
    stale = await api("PUT", f"{CONTROLLERS}/web/scale", {**scale.json, "spec": {"replicas": 9}})
    assert stale.status == 409
    replaced = {**scale.json, "metadata": {"name": "web", "uid": "another"}}
    assert (await api("PUT", f"{CONTROLLERS}/web/scale", replaced)).status == 409, "it is another object's"
    patched = await api("PATCH", f"{CONTROLLERS}/web/scale", {"spec": {"replicas": 0}}, headers=MERGE)
    assert patched.json["spec"]["replicas"] == 0
    wrong = await api("PATCH", f"{CONTROLLERS}/web/scale", {"spec": {"replicas": -1}}, headers=MERGE)
    assert wrong.status == 422


async def test_uncordoning_a_node_by_merge_patch_removes_the_annotation_of_the_drain(api: Client) -> None:
    meta = {"name": "n", "annotations": {CORDONED_BY_DRAIN: "true", "theirs": "stays"}}
    made = await api("POST", "/api/v1/nodes", {"metadata": meta, "spec": {"unschedulable": True}})
    assert made.json["metadata"]["annotations"] == meta["annotations"]
    # The command that `sampan join` prints sends this patch.
    patched = await api("PATCH", "/api/v1/nodes/n", {"spec": {"unschedulable": None}}, headers=MERGE)
    assert patched.status == 200 and "unschedulable" not in patched.json.get("spec", {})
    assert patched.json["metadata"]["annotations"] == {"theirs": "stays"}


async def test_a_pod_can_be_bound_only_once(api: Client) -> None:
    await api("POST", PODS, pod())
    target = {"target": {"kind": "Node", "name": "n1"}}
    assert (await api("POST", f"{PODS}/web/binding", target)).status == 201
    bound = (await api("GET", f"{PODS}/web")).json
    assert bound["spec"]["nodeName"] == "n1"
    assert [c["type"] for c in bound["status"]["conditions"]] == ["PodScheduled"]
    again = await api("POST", f"{PODS}/web/binding", target)
    assert again.status == 409 and 'already assigned to node "n1"' in again.json["message"]


async def test_logs_are_streamed_and_their_errors_reported(api: Client) -> None:
    await api("POST", PODS, pod())
    unbound = await api("GET", f"{PODS}/web/log")
    assert unbound.status == 400 and "not on a node" in unbound.json["message"]
    await api("POST", f"{PODS}/web/binding", {"target": {"name": "n1"}})
    log = await api("GET", f"{PODS}/web/log?tailLines=3&follow=true")
    assert log.body == b"n1 default/web/app tail=3\nsecond\n"
    assert (await api("GET", f"{PODS}/web/log?container=none")).status == 400
    await api("POST", PODS, {**pod("far"), "spec": {**pod()["spec"], "nodeName": "lost"}})
    lost = await api("GET", f"{PODS}/far/log")
    assert lost.status == 503 and "no session" in lost.json["message"]


async def test_lists_have_only_selected_objects(api: Client) -> None:
    await api("POST", PODS, pod("a", app="x", tier="front"))
    await api("POST", PODS, {**pod("b", app="y"), "spec": {**pod()["spec"], "nodeName": "n1"}})

    async def names(query: str) -> list[str]:
        return [item["metadata"]["name"] for item in (await api("GET", f"/api/v1/pods?{query}")).json["items"]]

    assert await names("labelSelector=app+in+(x,z)") == ["a"]
    assert await names("labelSelector=!tier") == ["b"]
    assert await names("fieldSelector=spec.nodeName=n1,status.phase!=Failed") == ["b"]
    assert await names("fieldSelector=metadata.name==a,metadata.namespace=default") == ["a"]
    assert await names("fieldSelector=spec.nodeName=") == ["a"]


async def test_delete_collection_deletes_only_selected_objects(api: Client) -> None:
    for name in ("a", "b", "c"):
        await api("POST", CONFIGMAPS, {"metadata": {"name": name, "labels": {"x": name}}})
    await api("DELETE", f"{CONFIGMAPS}?labelSelector=x+in+(a,b)")
    assert [item["metadata"]["name"] for item in (await api("GET", CONFIGMAPS)).json["items"]] == ["c"]


async def test_tables_have_the_columns_of_kubectl(api: Client) -> None:
    await api("POST", PODS, pod())
    table = (await api("GET", PODS, headers=TABLE)).json
    assert table["kind"] == "Table"
    wide = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert wide == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert table["rows"][0]["cells"][:5] == ["web", "0/1", "Pending", "0", "0s"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    full = (await api("GET", f"{PODS}?includeObject=Object", headers=TABLE)).json
    assert full["rows"][0]["object"]["spec"]["containers"][0]["image"] == "nginx:1"
    none = (await api("GET", f"{PODS}?includeObject=None", headers=TABLE)).json
    assert "object" not in none["rows"][0]


async def test_discovery_lists_the_groups_and_resources(api: Client) -> None:
    core = (await api("GET", "/api/v1")).json
    by_name = {item["name"]: item for item in core["resources"]}
    assert by_name["pods"]["shortNames"] == ["po"] and "pods/log" in by_name
    assert by_name["replicationcontrollers/scale"]["kind"] == "Scale"
    assert (await api("GET", "/api")).json["versions"] == ["v1"]
    groups = (await api("GET", "/apis", headers={"Accept": "application/json;as=APIGroupDiscoveryList,*/*"})).json
    names = {group["name"] for group in groups["groups"]}
    assert names >= {"discovery.k8s.io", "node.k8s.io", "scheduling.k8s.io", "storage.k8s.io"}
    assert (await api("GET", "/apis/discovery.k8s.io/v1")).json["resources"][0]["kind"] == "EndpointSlice"
    assert (await api("GET", "/version")).json["gitVersion"].startswith("v1.37.0+sampan")


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", PODS, f"{PODS}/x", "/nonsense", "/sampan/v1/other"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_unknown_callers_are_refused(api: Client, method: str, path: str) -> None:
    answer = await api(method, path, context=api.anonymous)
    assert answer.status in (401, 405), answer.body
    assert answer.json["kind"] == "Status"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version", "/sampan/v1/ca"])
async def test_health_version_and_the_ca_certificate_are_public(api: Client, path: str) -> None:
    answer = await api("GET", path, context=api.anonymous)
    assert answer.status == 200
    assert answer.body == api.pki.ca_pem or path != "/sampan/v1/ca"


async def test_a_store_that_cannot_write_makes_the_server_not_ready_but_readable(api: Client) -> None:
    store = api.resources.store
    assert isinstance(store, MemoryStore)
    store.fail = True
    refused = await api("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
    assert (refused.status, refused.json["reason"]) == (503, "ServiceUnavailable")
    assert "the disk failed" in refused.json["message"] and refused.headers["Retry-After"] == "1"
    ready = await api("GET", "/readyz", context=api.anonymous)
    assert ready.status == 503 and b"the disk failed" in ready.body
    assert (await api("GET", "/livez")).status == (await api("GET", CONFIGMAPS)).status == 200
    store.fail = False
    assert (await api("GET", "/readyz")).body == b"ok"


async def test_the_certificate_of_a_node_has_no_permissions(api: Client, tmp_path: Any) -> None:
    from tests.unit.master.api.test_api_pki import node_request

    csr, key = node_request("n1")
    (tmp_path / "node.crt").write_text(api.pki.sign_node(csr, "n1"))
    (tmp_path / "node.key").write_bytes(key)
    context = ssl.create_default_context(cadata=api.pki.ca_pem.decode())
    context.load_cert_chain(tmp_path / "node.crt", tmp_path / "node.key")
    answer = await api("GET", PODS, context=context)
    assert answer.status == 403 and 'User "system:node:n1" cannot list' in answer.json["message"]


async def test_a_certificate_of_another_ca_is_refused(api: Client, tmp_path: Any) -> None:
    from master.config import MasterConfig
    from master.pki import Pki

    other = Pki.prepare(MasterConfig(data_dir=tmp_path / "other"))
    context = ssl.create_default_context(cadata=api.pki.ca_pem.decode())
    context.load_cert_chain(other.admin.certificate, other.admin.key)
    with pytest.raises(aiohttp.ClientError):
        await api("GET", PODS, context=context)


async def test_joining_needs_a_token(api: Client) -> None:
    body = {"nodeName": "n1", "csr": "csr"}
    without = await api("POST", "/sampan/v1/join", body, context=api.anonymous)
    assert without.status == 401
    token = {"Authorization": "Bearer abcdef.0123456789abcdef"}
    joined = await api("POST", "/sampan/v1/join", body, headers=token, context=api.anonymous)
    assert joined.json == {
        "certificate": "cert",
        "ca": "ca",
        "clusterId": "id",
        "sessionAddress": "192.0.2.1:6444",
    }
    elsewhere = await api("GET", PODS, headers=token, context=api.anonymous)
    assert elsewhere.status == 401


async def test_a_write_to_a_failing_store_gets_503(api: Client) -> None:
    api.resources.store.fail = True  # type: ignore[attr-defined]
    answer = await api("POST", PODS, pod())
    assert (answer.status, answer.json["reason"]) == (503, "ServiceUnavailable")
    api.resources.store.fail = False  # type: ignore[attr-defined]
    assert (await api("POST", PODS, pod())).status == 201
