"""Resources whose objects are made when they are read: what nodes use (metrics.k8s.io), and ComponentStatus."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from master.dispatch.sessions import Machine, Sessions
from master.store.errors import StoreError
from proto.gen import observed_pb2
from tests.fakes.clock import FakeClock
from tests.masters import Client
from tests.service.master.kubectls import KUBECTLS

METRICS = "/apis/metrics.k8s.io/v1beta1"
NODES = f"{METRICS}/nodes"
TABLE = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
USAGE = observed_pb2.Usage(cpu_millis=250, memory_bytes=3 << 30)


@pytest.fixture
async def nodes(api: Client) -> list[str]:
    """Nodes `a` and `b`, whose agents have sent two heartbeats each, and node `silent` without a session."""
    clock = FakeClock()
    sessions = Sessions(clock, heartbeat_s=10, grace_s=40)
    api.resources.usages = sessions
    for name in ("b", "a", "silent"):
        made = await api("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"zone": f"zone-{name}"}}})
        assert made.status == 201, made.body
    current = [sessions.open(name, Machine(name, "10.0.0.1"), "f", removed=False) for name in ("b", "a", "deleted")]
    for _ in range(2):
        await clock.advance(10.25)
        for session in current:
            sessions.measured(session, USAGE)
    return ["a", "b"]


def names(listed: Any) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


async def test_the_usage_of_a_node_is_that_of_its_heartbeats(api: Client, nodes: list[str]) -> None:
    listed = (await api("GET", NODES)).json
    assert (listed["kind"], listed["apiVersion"], listed["metadata"]) == (
        "NodeMetricsList",
        "metrics.k8s.io/v1beta1",
        {},
    )
    assert names(listed) == nodes
    one = (await api("GET", f"{NODES}/a")).json
    assert one == listed["items"][0]
    assert (one["kind"], one["apiVersion"]) == ("NodeMetrics", "metrics.k8s.io/v1beta1")
    assert one["metadata"]["labels"]["zone"] == "zone-a" and "resourceVersion" not in one["metadata"]
    assert (one["window"], one["usage"]) == ("10.25s", {"cpu": "250m", "memory": "3Gi"})
    assert one["timestamp"] == one["metadata"]["creationTimestamp"] and one["timestamp"].endswith("Z")


@pytest.mark.parametrize("name", ["silent", "deleted", "none"])
async def test_a_node_without_figures_or_without_an_object_is_not_found(
    api: Client, nodes: list[str], name: str
) -> None:
    reply = await api("GET", f"{NODES}/{name}")
    assert reply.status == 404 and reply.json["message"] == f'nodes.metrics.k8s.io "{name}" not found'


@pytest.mark.parametrize(
    ("query", "selected"),
    [
        ("labelSelector=zone=zone-b", ["b"]),
        ("labelSelector=zone!=zone-b", ["a"]),
        ("labelSelector=zone in (zone-a,zone-b)", ["a", "b"]),
        ("labelSelector=other", []),
        ("fieldSelector=metadata.name=a", ["a"]),
        ("limit=1", ["a", "b"]),
    ],
)
async def test_usages_are_selected_like_any_other_objects(
    api: Client, nodes: list[str], query: str, selected: list[str]
) -> None:
    assert names((await api("GET", f"{NODES}?{query}".replace(" ", "%20"))).json) == selected
    rows = (await api("GET", f"{NODES}?{query}".replace(" ", "%20"), headers=TABLE)).json["rows"]
    assert [row["cells"][0] for row in rows] == selected


@pytest.mark.parametrize("path", [NODES, f"{NODES}/a"])
async def test_the_table_of_usages(api: Client, nodes: list[str], path: str) -> None:
    table = (await api("GET", path, headers=TABLE)).json
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert table["rows"][0]["cells"] == ["a", "250m", "3Gi", "10.25s"]
    assert table["rows"][0]["object"]["metadata"]["name"] == "a" and table["metadata"] == {}


@pytest.mark.parametrize("form", ["PartialObjectMetadataList", "PartialObjectMetadata"])
async def test_only_the_metadata_of_usages(api: Client, nodes: list[str], form: str) -> None:
    path = NODES if form.endswith("List") else f"{NODES}/a"
    reply = (await api("GET", path, headers={"Accept": f"application/json;as={form};g=meta.k8s.io;v=v1"})).json
    assert reply["kind"] == form
    for item in reply.get("items", [reply]):
        assert item["metadata"]["labels"] and "usage" not in item


COMPUTED = [NODES, f"{METRICS}/namespaces/default/pods", "/api/v1/componentstatuses"]


@pytest.mark.parametrize("path", COMPUTED)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_computed_resources_can_only_be_read(api: Client, path: str, method: str) -> None:
    on = {"PUT": f"{path}/store", "PATCH": f"{path}/store", "GET": f"{path}?watch=true"}.get(method, path)
    assert (await api(method, on, None if method == "GET" else {})).status == 405


@pytest.mark.parametrize("path", COMPUTED)
async def test_reading_them_needs_permission(api: Client, path: str) -> None:
    for name in ("", "/store"):
        assert (await api("GET", path + name, context=api.anonymous)).status in (401, 403)


PODS = f"{METRICS}/namespaces/default/pods"


@pytest.fixture
async def pods(api: Client) -> Sessions:
    """Pod `web` of node `a` with two containers, `other` of node `b`, and `idle`, which no node has measured."""
    sessions = Sessions(FakeClock(), heartbeat_s=10, grace_s=40)
    api.resources.usages = sessions
    uids = {}
    assert (await api("POST", "/api/v1/namespaces", {"metadata": {"name": "else"}})).status == 201
    for name, namespace, node in (("web", "default", "a"), ("idle", "default", "a"), ("other", "else", "b")):
        await api("POST", "/api/v1/nodes", {"metadata": {"name": node}})
        spec = {"nodeName": node, "containers": [{"name": "app", "image": "app"}, {"name": "log", "image": "log"}]}
        metadata = {"name": name, "labels": {"app": name}}
        made = await api("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": metadata, "spec": spec})
        assert made.status == 201, made.body
        uids[name] = made.json["metadata"]["uid"]
    app = observed_pb2.ContainerUsage(name="app", cpu_nano_cores=1_500_001, memory_bytes=3 << 20, window_ms=10_250)
    log = observed_pb2.ContainerUsage(name="log", cpu_nano_cores=2_000_000, memory_bytes=1 << 20, window_ms=10_250)
    for node, name in (("a", "web"), ("b", "other")):
        session = sessions.open(node, Machine(node, "10.0.0.1"), "f", removed=False)
        # Node `a` also claims the pod of node `b`.
        usages = [observed_pb2.PodUsage(uid=uids[each], containers=[app, log]) for each in sorted({name, "other"})]
        sessions.pods_measured(session, observed_pb2.PodUsages(pods=usages))
    return sessions


async def test_the_usage_of_a_pod_is_that_of_its_containers(api: Client, pods: Sessions) -> None:
    listed = (await api("GET", PODS)).json
    assert (listed["kind"], listed["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
    (web,) = listed["items"]
    assert web == (await api("GET", f"{PODS}/web")).json
    assert (web["kind"], web["window"], web["metadata"]["namespace"]) == ("PodMetrics", "10.25s", "default")
    assert web["metadata"]["labels"] == {"app": "web"}
    assert web["containers"] == [
        {"name": "app", "usage": {"cpu": "1500001n", "memory": "3Mi"}},
        {"name": "log", "usage": {"cpu": "2m", "memory": "1Mi"}},
    ]
    assert names((await api("GET", f"{METRICS}/pods")).json) == ["web", "other"]
    assert names((await api("GET", f"{METRICS}/pods?labelSelector=app%3Dother")).json) == ["other"]
    table = (await api("GET", PODS, headers=TABLE)).json
    assert [row["cells"] for row in table["rows"]] == [["web", "3500001n", "4Mi", "10.25s"]]


@pytest.mark.parametrize("name", ["idle", "none"])
async def test_a_pod_that_was_not_measured_is_not_found(api: Client, pods: Sessions, name: str) -> None:
    reply = await api("GET", f"{PODS}/{name}")
    assert reply.status == 404 and reply.json["message"] == f'pods.metrics.k8s.io "{name}" not found'


async def test_only_the_node_of_a_pod_can_report_its_usage(api: Client, pods: Sessions) -> None:
    pods.end_session("b", "test")
    assert names((await api("GET", f"{METRICS}/pods")).json) == ["web"]
    assert (await api("GET", f"{METRICS}/namespaces/else/pods/other")).status == 404


async def test_the_health_of_the_store_is_a_component_status(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/api/v1/componentstatuses"
    healthy = (await api("GET", f"{path}/store")).json
    assert healthy["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    assert (await api("GET", f"{path}/scheduler")).status == 404

    async def broken() -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(api.resources.store, "check", broken)
    listed = (await api("GET", path)).json
    assert names(listed) == ["store"] and listed["items"][0]["conditions"][0]["status"] == "False"
    (row,) = (await api("GET", path, headers=TABLE)).json["rows"]
    assert row["cells"][:3] == ["store", "Unhealthy", ""] and "no space left" in row["cells"][3]


def kubectl_of(api: Client, program: Path, tmp_path: Path) -> Callable[..., Awaitable[list[list[str]]]]:
    """Runs a kubectl as the administrator, and returns the words of the lines that it prints."""
    (tmp_path / "ca.crt").write_bytes(api.pki.ca_pem)
    flags = [
        f"--server=https://127.0.0.1:{api.port}",
        f"--certificate-authority={tmp_path / 'ca.crt'}",
        f"--client-certificate={api.pki.admin.certificate}",
        f"--client-key={api.pki.admin.key}",
    ]

    async def kubectl(*arguments: str) -> list[list[str]]:
        command = [str(program), *flags, *arguments]
        env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()]

    return kubectl


@pytest.mark.parametrize("program", KUBECTLS, ids=lambda path: path.name)
async def test_kubectl_shows_what_pods_use(api: Client, pods: Sessions, program: Path, tmp_path: Path) -> None:
    kubectl = kubectl_of(api, program, tmp_path)
    assert await kubectl("top", "pods", "--no-headers") == [["web", "4m", "4Mi"]]
    assert await kubectl("top", "pod", "web", "--containers", "--no-headers") == [
        ["web", "app", "2m", "3Mi"],
        ["web", "log", "2m", "1Mi"],
    ]
    everywhere = await kubectl("top", "pods", "-A", "-l", "app in (web,other)", "--no-headers")
    assert sorted(everywhere) == [["default", "web", "4m", "4Mi"], ["else", "other", "4m", "4Mi"]]


@pytest.mark.parametrize("program", KUBECTLS, ids=lambda path: path.name)
async def test_kubectl_shows_what_nodes_use(api: Client, nodes: list[str], program: Path, tmp_path: Path) -> None:
    for name in nodes:
        capacity = {"status": {"capacity": {"cpu": "1", "memory": "4Gi"}}}
        merge = {"Content-Type": "application/merge-patch+json"}
        assert (await api("PATCH", f"/api/v1/nodes/{name}/status", capacity, headers=merge)).status == 200
    kubectl = kubectl_of(api, program, tmp_path)
    rows = {row[0]: row[1:] for row in await kubectl("top", "node")}
    assert rows["a"] == rows["b"] == ["250m", "25%", "3072Mi", "75%"]
    assert [row[0] for row in await kubectl("top", "node", "-l", "zone=zone-b", "--no-headers")] == ["b"]
    assert await kubectl("get", "nodes.metrics.k8s.io", "a") == [
        ["NAME", "CPU", "MEMORY", "WINDOW"],
        ["a", "250m", "3Gi", "10.25s"],
    ]
    assert ["NAME", "STATUS", "ROLES", "AGE", "VERSION"] in await kubectl("get", "nodes"), "not those of metrics.k8s.io"
    assert ["store", "Healthy", "ok"] in await kubectl("get", "componentstatuses")
