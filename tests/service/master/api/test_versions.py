"""The same objects in several versions: events in two groups, and old forms that are converted on their way in."""

from __future__ import annotations

from typing import Any

import pytest

from master.kinds.legacy.manifests import POD_V1BETA1, SERVICE_V1BETA1
from tests.masters import Client

CORE = "/api/v1/namespaces/default"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
MERGE = {"Content-Type": "application/merge-patch+json"}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "reportingController": "example.com/shop",
        "reportingInstance": "shop-1",
        "action": "Sell",
        "reason": "Sold",
        "type": "Normal",
        "note": "an apple",
        "regarding": {"kind": "Pod", "name": "web", "namespace": "default"},
        **fields,
    }


async def test_an_event_is_one_object_in_two_versions(api: Client) -> None:
    made = await api("POST", EVENTS, event())
    assert (made.status, made.json["apiVersion"], made.json["note"]) == (201, "events.k8s.io/v1", "an apple")
    core = (await api("GET", f"{CORE}/events/e")).json
    assert (core["apiVersion"], core["message"]) == ("v1", "an apple")
    assert core["involvedObject"]["name"] == "web"
    assert core["reportingComponent"] == "example.com/shop"
    again = (
        await api("GET", EVENTS + "?fieldSelector=regarding.name%3Dweb,reportingController%3Dexample.com/shop")
    ).json
    assert [item["metadata"]["name"] for item in again["items"]] == ["e"]
    assert again["items"][0]["regarding"] == core["involvedObject"]
    of_source = (await api("GET", f"{CORE}/events?fieldSelector=source%3Dexample.com/shop")).json
    assert [item["metadata"]["name"] for item in of_source["items"]] == ["e"]
    changed = await api(
        "PATCH", f"{EVENTS}/e", {"series": {"count": 2, "lastObservedTime": event()["eventTime"]}}, headers=MERGE
    )
    assert changed.json["series"]["count"] == 2
    assert (await api("DELETE", f"{EVENTS}/e")).status == 200
    assert (await api("GET", f"{CORE}/events/e")).status == 404


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"eventTime": None}, {"eventTime"}),
        ({"type": "Odd"}, {"type"}),
        ({"deprecatedCount": 1}, {"count"}),
        ({"deprecatedSource": {"component": "c"}}, {"source"}),
        ({"series": {"count": 1}}, {"series.count", "series.lastObservedTime"}),
        ({"action": ""}, {"action"}),
        ({"reportingController": "-"}, {"reportingComponent"}),
        ({"note": "x" * 1025}, {"message"}),
    ],
)
async def test_the_new_version_is_strict(api: Client, fields: dict[str, Any], wrong: set[str]) -> None:
    reply = await api("POST", EVENTS, event(**fields))
    assert reply.status == 422
    assert {cause["field"] for cause in reply.json["details"]["causes"]} == wrong


async def test_an_update_in_the_new_version_only_continues_the_series(api: Client) -> None:
    await api("POST", EVENTS, event())
    reply = await api("PATCH", f"{EVENTS}/e", {"note": "a pear", "reason": "Lost"}, headers=MERGE)
    assert {cause["field"] for cause in reply.json["details"]["causes"]} == {"message", "reason"}
    assert (await api("PATCH", f"{CORE}/events/e", {"message": "a pear"}, headers=MERGE)).status == 200


OLD_POD = {
    "id": "redis-master",
    "kind": "Pod",
    "apiVersion": "v1beta1",
    "desiredState": {
        "manifest": {
            "version": "v1beta1",
            "id": "redis-master",
            "restartPolicy": {"onFailure": {}},
            "volumes": [{"name": "data", "source": {"hostDir": {"path": "/data"}}}, {"name": "tmp"}],
            "containers": [
                {
                    "name": "master",
                    "image": "dockerfile/redis",
                    "cpu": 100,
                    "memory": 1024,
                    "command": ["redis"],
                    "ports": [{"containerPort": 6379}],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }
            ],
        }
    },
    "labels": {"name": "redis-master"},
}
OLD_SERVICE = {
    "id": "redis-master",
    "kind": "Service",
    "apiVersion": "v1beta1",
    "port": 6379,
    "containerPort": 6379,
    "selector": {"name": "redis-master"},
    "labels": {"name": "redis-master"},
}


@pytest.mark.parametrize("root", ["/api/v1beta1", "/api/v1beta1/namespaces/default", CORE])
async def test_the_first_form_of_a_pod_is_converted(api: Client, root: str) -> None:
    made = await api("POST", f"{root}/pods", OLD_POD)
    assert made.status == 201, made.body
    assert "v1beta1 Pod is an old version; it was converted to v1" in made.headers["Warning"]
    pod = (await api("GET", f"{CORE}/pods/redis-master")).json
    assert pod["apiVersion"] == made.json["apiVersion"] == "v1"
    assert pod["metadata"]["labels"] == {"name": "redis-master"}
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "100m", "memory": "1024"}
    assert container["args"] == ["redis"]
    assert container["ports"] == [{"containerPort": 6379, "protocol": "TCP"}]
    assert pod["spec"]["restartPolicy"] == "OnFailure"
    assert pod["spec"]["volumes"][0]["hostPath"]["path"] == "/data"
    assert pod["spec"]["volumes"][1]["emptyDir"] == {}


async def test_the_first_form_of_a_service_is_converted_into_the_namespace_of_the_query(api: Client) -> None:
    made = await api("POST", "/api/v1beta1/services?namespace=kube-system", OLD_SERVICE)
    assert made.status == 201, made.body
    assert made.json["metadata"]["namespace"] == "kube-system"
    assert made.json["spec"]["ports"] == [{"port": 6379, "targetPort": 6379, "protocol": "TCP"}]
    assert made.json["spec"]["selector"] == {"name": "redis-master"}
    again = await api("GET", "/api/v1beta1/services/redis-master?namespace=kube-system")
    assert again.json["spec"] == made.json["spec"]


async def test_a_typing_error_in_an_old_form_is_found(api: Client) -> None:
    wrong = {**OLD_SERVICE, "containerprt": 1}
    reply = await api("POST", "/api/v1beta1/services?fieldValidation=Strict", wrong)
    assert reply.status == 400
    assert "containerprt" in reply.json["message"]


async def test_a_body_in_an_unknown_version_is_refused(api: Client) -> None:
    reply = await api("POST", f"{CORE}/pods", {**OLD_POD, "apiVersion": "v1beta9"})
    assert reply.status == 400


async def test_the_old_slices_have_a_topology(api: Client) -> None:
    path = "/apis/discovery.k8s.io/{}/namespaces/default/endpointslices"
    topology = {"kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z", "rack": "r"}
    endpoint = {"addresses": ["10.0.0.1"], "nodeName": "n1", "topology": topology}
    body = {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [endpoint]}
    made = await api("POST", path.format("v1beta1"), body)
    assert made.status == 201, made.body
    assert made.json["endpoints"][0]["topology"] == topology
    (stored,) = (await api("GET", path.format("v1") + "/s")).json["endpoints"]
    assert (stored["nodeName"], stored["zone"], stored["deprecatedTopology"]) == ("n1", "z", {"rack": "r"})


@pytest.mark.parametrize("root", ["/apis/extensions/v1beta1", "/apis/apps/v1"])
async def test_the_first_version_of_a_deployment_needs_no_selector(api: Client, root: str) -> None:
    template = {
        "metadata": {"labels": {"tier": "frontend"}},
        "spec": {"containers": [{"name": "c", "image": "tomcat"}]},
    }
    body = {
        "apiVersion": "extensions/v1beta1",
        "kind": "Deployment",
        "metadata": {"name": "frontend"},
        "spec": {"replicas": 0, "template": template},
    }
    made = await api("POST", f"{root}/namespaces/default/deployments", body)
    assert made.status == 201, made.body
    assert "extensions/v1beta1 Deployment is an old version; it was converted to apps/v1" in made.headers["Warning"]
    stored = (await api("GET", "/apis/apps/v1/namespaces/default/deployments/frontend")).json
    assert stored["apiVersion"] == "apps/v1"
    assert stored["spec"]["selector"] == {"matchLabels": {"tier": "frontend"}}
    assert stored["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 1}
    assert (stored["spec"]["replicas"], stored["spec"]["revisionHistoryLimit"]) == (0, (1 << 31) - 1)


async def test_an_empty_selector_of_an_old_budget_selects_nothing(api: Client) -> None:
    path = "/apis/policy/{}/namespaces/default/poddisruptionbudgets"
    body = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {}}}
    made = await api("POST", path.format("v1beta1"), body)
    assert (made.status, made.json["spec"]["selector"]) == (201, {})
    (condition,) = (await api("GET", path.format("v1") + "/b")).json["spec"]["selector"]["matchExpressions"]
    assert condition["operator"] == "Exists"


async def test_an_old_cron_job_is_stored_as_a_new_one(api: Client) -> None:
    path = "/apis/batch/{}/namespaces/default/cronjobs"
    pod_template = {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": pod_template}}}
    made = await api("POST", path.format("v1beta1"), {"metadata": {"name": "j"}, "spec": spec})
    assert (made.status, made.json["apiVersion"]) == (201, "batch/v1beta1")
    assert (await api("GET", path.format("v1") + "/j")).json["spec"]["schedule"] == "* * * * *"


async def test_minions_are_nodes(api: Client) -> None:
    assert (await api("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})).status == 201
    assert (await api("GET", "/api/v1/minions/n1")).json["kind"] == "Node"


async def test_old_versions_and_names_are_not_listed(api: Client) -> None:
    names = {item["name"] for item in (await api("GET", "/api/v1")).json["resources"]}
    assert "nodes" in names and "minions" not in names
    assert (await api("GET", "/api/v1beta1")).status == 404
    group = (await api("GET", "/apis/discovery.k8s.io")).json
    assert [version["version"] for version in group["versions"]] == ["v1"]
    assert (POD_V1BETA1.old, SERVICE_V1BETA1.old) == (True, True)


async def test_old_versions_are_listed_by_a_setting(api: Client) -> None:
    api.resources.registry._lists_old = True
    group = (await api("GET", "/apis/discovery.k8s.io")).json
    assert [version["version"] for version in group["versions"]] == ["v1", "v1beta1"]
    names = {item["name"] for item in (await api("GET", "/api/v1beta1")).json["resources"]}
    assert {"pods", "services"} <= names
