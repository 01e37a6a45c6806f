"""A cluster at a glance: API, services and nodes, as plain data for `sampan status`."""

from pathlib import Path

from client.rest import Document, RestClient


def overview(client: RestClient, kubeconfig: Path) -> Document:
    """kubeconfig, server, services (with their addresses from outside) and nodes. Raises ClientError."""
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


def _service(service: Document, nodes: list[str]) -> Document:
    ports = service["spec"].get("ports") or []
    node_ports = [port["nodePort"] for port in ports if port.get("nodePort")]
    return {
        "name": f"{service['metadata']['namespace']}/{service['metadata']['name']}",
        "clusterIP": service["spec"].get("clusterIP") or "-",
        "ports": [f"{port['port']}/{port.get('protocol', 'TCP')}" for port in ports],
        "outside": [f"{nodes[0]}:{port}" for port in node_ports] if nodes else [],
    }


def _node(node: Document, pods: list[Document]) -> Document:
    name = node["metadata"]["name"]
    return {
        "name": name,
        "status": _status(node),
        "address": _address(node),
        "podCIDR": node["spec"].get("podCIDR") or "-",
        "pods": sum(pod["spec"].get("nodeName") == name for pod in pods),
    }


def _status(node: Document) -> str:
    """In kubectl's words."""
    ready = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions") or []}.get("Ready")
    return {"True": "Ready", "False": "NotReady"}.get(ready or "", "Unknown")


def _address(node: Document) -> str:
    addresses = node.get("status", {}).get("addresses") or []
    return next((str(entry["address"]) for entry in addresses if entry["type"] == "InternalIP"), "-")
