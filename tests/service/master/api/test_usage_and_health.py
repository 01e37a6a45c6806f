"""Resources whose objects are made when they are read: what nodes use (metrics.k8s.io), and ComponentStatus."""

from __future__ import annotations

import asyncio
import subprocess
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


async def test_the_usage_of_pods_is_missing_and_the_answer_says_why(api: Client) -> None:
    for path in (f"{METRICS}/pods", f"{METRICS}/namespaces/default/pods"):
        listed = (await api("GET", path)).json
        assert (listed["kind"], listed["items"]) == ("PodMetricsList", [])
    reply = await api("GET", f"{METRICS}/namespaces/default/pods/web")
    assert reply.status == 404 and "do not measure what pods use yet" in reply.json["message"]


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


@pytest.mark.parametrize("program", KUBECTLS, ids=lambda path: path.name)
async def test_kubectl_shows_what_nodes_use(api: Client, nodes: list[str], program: Path, tmp_path: Path) -> None:
    for name in nodes:
        capacity = {"status": {"capacity": {"cpu": "1", "memory": "4Gi"}}}
        merge = {"Content-Type": "application/merge-patch+json"}
        assert (await api("PATCH", f"/api/v1/nodes/{name}/status", capacity, headers=merge)).status == 200
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

    rows = {row[0]: row[1:] for row in await kubectl("top", "node")}
    assert rows["a"] == rows["b"] == ["250m", "25%", "3072Mi", "75%"]
    assert [row[0] for row in await kubectl("top", "node", "-l", "zone=zone-b", "--no-headers")] == ["b"]
    assert await kubectl("get", "nodes.metrics.k8s.io", "a") == [
        ["NAME", "CPU", "MEMORY", "WINDOW"],
        ["a", "250m", "3Gi", "10.25s"],
    ]
    assert ["NAME", "STATUS", "ROLES", "AGE", "VERSION"] in await kubectl("get", "nodes"), "not those of metrics.k8s.io"
    assert ["store", "Healthy", "ok"] in await kubectl("get", "componentstatuses")
