"""The overview of a cluster, from what the API lists."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from client.overview import overview
from client.rest import RestClient


class Api:
    access = SimpleNamespace(server="https://10.0.0.1:6443")

    def get(self, path: str) -> dict[str, Any]:
        return {"items": LISTS[path.removeprefix("/api/v1/")]}


def node(name: str, address: str, ready: str | None) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    status = {"addresses": [{"type": "InternalIP", "address": address}], "conditions": conditions}
    return {"metadata": {"name": name}, "spec": {"podCIDR": "10.244.0.0/24"}, "status": status}


LISTS: dict[str, list[dict[str, Any]]] = {
    "nodes": [node("a", "10.0.0.2", "True"), node("b", "10.0.0.3", "False"), node("c", "10.0.0.4", None)],
    "pods": [{"spec": {"nodeName": "a"}}, {"spec": {"nodeName": "a"}}, {"spec": {}}],
    "services": [
        {
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {
                "clusterIP": "10.96.0.9",
                "ports": [{"port": 80, "nodePort": 31002}, {"port": 53, "protocol": "UDP"}],
            },
        },
        {"metadata": {"namespace": "default", "name": "away"}, "spec": {}},
    ],
}


def test_services_and_nodes_in_short() -> None:
    document = overview(cast(RestClient, Api()), Path("/k"))
    assert (document["kubeconfig"], document["server"]) == ("/k", "https://10.0.0.1:6443")
    assert document["services"] == [
        {"name": "default/web", "clusterIP": "10.96.0.9", "ports": ["80/TCP", "53/UDP"], "outside": ["10.0.0.2:31002"]},
        {"name": "default/away", "clusterIP": "-", "ports": [], "outside": []},
    ]
    rows = [(entry["name"], entry["status"], entry["address"], entry["pods"]) for entry in document["nodes"]]
    assert rows == [("a", "Ready", "10.0.0.2", 2), ("b", "NotReady", "10.0.0.3", 0), ("c", "Unknown", "10.0.0.4", 0)]
