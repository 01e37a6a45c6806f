"""`sampan status`: how to reach the cluster, its services and nodes, in one short table each."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.options import DEFAULT_LAB, add_access, client_of, has_cluster, kubeconfig_path
from cli.tables import table

if TYPE_CHECKING:
    from client.rest import RestClient
    from lab.cluster import Cluster

Object = dict[str, Any]


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("status", help="the cluster: API, services, nodes", description=__doc__)
    add_access(parser)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Exit code 1 when a node is not Ready, so that scripts can ask."""
    path = options.kubeconfig or _labs(options.lab) or kubeconfig_path(options)
    with client_of(path) as client:
        found = survey(client, path)
    print(json.dumps(found, indent=2) if options.output == "json" else render(found))
    return exits.OK if all(node["status"] == "Ready" for node in found["nodes"]) else exits.FAILED


def _labs(name: str) -> Path | None:
    """The lab's kubeconfig; None where no lab was meant, but a cluster that the user has.

    Raises NotFound when there is no such lab, ConnectionFailed when its master does not run.
    """
    from client.errors import ConnectionFailed
    from lab.cluster import Cluster
    from lab.errors import NotFound
    from lab.lab import Lab

    lab = Lab(name)
    try:
        lab.file.load()
    except NotFound:
        if name == DEFAULT_LAB and has_cluster():
            return None
        raise
    cluster = Cluster(lab)
    if cluster.record(lab.state.master.name) is None:
        raise ConnectionFailed(f"the master of lab {lab.name} does not run; `sampan up` starts it")
    return cluster.kubeconfig


def overview(cluster: "Cluster") -> str:
    """What `up` ends with."""
    with cluster.client() as client:
        return render(survey(client, cluster.kubeconfig))


def survey(client: "RestClient", kubeconfig: Path) -> Object:
    """The cluster as plain data: kubeconfig, server, services, nodes."""
    nodes = client.get("/api/v1/nodes")["items"]
    pods = client.get("/api/v1/pods")["items"]
    services = client.get("/api/v1/services")["items"]
    addresses = [_address(node) for node in nodes]
    return {
        "kubeconfig": str(kubeconfig),
        "server": client.access.server,
        "services": [_service(service, addresses) for service in services],
        "nodes": [_node(node, pods) for node in nodes],
    }


def render(found: Object) -> str:
    services = [
        (entry["name"], entry["clusterIP"], ", ".join(entry["ports"]), ", ".join(entry["outside"]) or "-")
        for entry in found["services"]
    ]
    nodes = [
        (entry["name"], entry["status"], entry["address"], entry["podCIDR"], str(entry["pods"]))
        for entry in found["nodes"]
    ]
    return "\n\n".join(
        [
            f"API  {found['server']}\nexport KUBECONFIG={found['kubeconfig']}",
            table(("SERVICE", "CLUSTER-IP", "PORTS", "FROM OUTSIDE"), services),
            table(("NODE", "STATUS", "ADDRESS", "POD CIDR", "PODS"), nodes),
        ]
    )


def _service(service: Object, nodes: list[str]) -> Object:
    ports = service["spec"].get("ports") or []
    node_ports = [port["nodePort"] for port in ports if port.get("nodePort")]
    return {
        "name": f"{service['metadata']['namespace']}/{service['metadata']['name']}",
        "clusterIP": service["spec"].get("clusterIP") or "-",
        "ports": [f"{port['port']}/{port.get('protocol', 'TCP')}" for port in ports],
        "outside": [f"{nodes[0]}:{port}" for port in node_ports] if nodes else [],
    }


def _node(node: Object, pods: list[Object]) -> Object:
    name = node["metadata"]["name"]
    return {
        "name": name,
        "status": _status(node),
        "address": _address(node),
        "podCIDR": node["spec"].get("podCIDR") or "-",
        "pods": sum(pod["spec"].get("nodeName") == name for pod in pods),
    }


def _status(node: Object) -> str:
    """As kubectl says it."""
    ready = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions") or []}.get("Ready")
    return {"True": "Ready", "False": "NotReady"}.get(ready or "", "Unknown")


def _address(node: Object) -> str:
    addresses = node.get("status", {}).get("addresses") or []
    return next((str(entry["address"]) for entry in addresses if entry["type"] == "InternalIP"), "-")
