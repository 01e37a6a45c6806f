"""A cluster as text, for a failed test: nodes, pods and services from the API, the hosts' network, the end of logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from client.errors import ClientError
from client.rest import Document
from lab.cluster import Cluster
from lab.errors import LabError
from lab.readiness import lacking
from netrig.topology.report import describe

_LOG_LINES: Final = 20


def sections(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Titles and texts. Never raises: an error is reported in the text of its section."""
    yield f"cluster {cluster.lab.name}", _objects(cluster)
    try:
        hosts = cluster.lab.state.hosts
    except LabError as error:
        yield "hosts", f"not available: {error}"
        return
    for state in hosts:
        faults = f" ({', '.join(state.faults())})" if state.faults() else ""
        daemons = ", ".join(f"{name} {pid}" for name, pid in cluster.lab.running(state.name).items())
        network = describe(cluster.host(state.name))
        yield f"host {state.name}{faults}", f"{daemons or 'no daemon runs'}\n{network}"
        log = cluster.log(state.name)
        yield f"end of {log}", _end(log)


def _objects(cluster: Cluster) -> str:
    try:
        with cluster.client() as client:
            nodes = client.get("/api/v1/nodes")["items"]
            pods = client.get("/api/v1/pods")["items"]
            services = client.get("/api/v1/services")["items"]
    except (ClientError, OSError) as error:
        return f"the API does not answer: {error}"
    lines = [f"node {_name(node)}: {lacking('Node', node) or 'ready'}" for node in nodes]
    lines += [_pod(pod) for pod in pods]
    lines += [f"service {_name(service)}: {service['spec'].get('clusterIP')} {_ports(service)}" for service in services]
    return "\n".join(lines)


def _pod(pod: Document) -> str:
    status, node = pod.get("status", {}), pod["spec"].get("nodeName", "no node")
    return f"pod {_name(pod)}: {lacking('Pod', pod) or 'ready'}, {status.get('podIP', 'no address')}, {node}"


def _name(document: Document) -> str:
    metadata = document["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _ports(service: Document) -> str:
    ports = service["spec"].get("ports") or []
    return " ".join(f"{port['port']}→{port.get('targetPort')} node port {port.get('nodePort', '-')}" for port in ports)


def _end(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    except OSError as error:
        return f"not available: {error.strerror}"
