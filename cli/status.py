"""`sampan status`: how to reach the cluster, its services and its nodes, in one short table each."""

import argparse
from pathlib import Path
from typing import Any

from cli import exits
from cli.options import DEFAULT_LAB, add_access, add_output, client_of, has_cluster, kubeconfig_path, show
from cli.parsing import add_command
from cli.tables import table


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "status",
        description="Show how to reach the cluster, its services and its nodes. The exit code is 1 if a node is not "
        "Ready.",
    )
    add_access(parser)
    add_output(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    path = options.kubeconfig or _labs(options.lab) or kubeconfig_path(options)
    cluster = survey(path)
    show(options, cluster, lambda: render(cluster))
    return exits.OK if all(node["status"] == "Ready" for node in cluster["nodes"]) else exits.FAILED


def _labs(name: str) -> Path | None:
    """The lab's kubeconfig; None without a lab that is not named, if the user has a cluster. Raises NotFound,
    ConnectionFailed."""
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


def survey(kubeconfig: Path) -> dict[str, Any]:
    """What `status` and `up` show. Raises ClientError."""
    from client.overview import overview

    with client_of(kubeconfig) as client:
        return overview(client, kubeconfig)


def render(cluster: dict[str, Any]) -> str:
    services = [
        (entry["name"], entry["clusterIP"], ", ".join(entry["ports"]), ", ".join(entry["outside"]) or "-")
        for entry in cluster["services"]
    ]
    nodes = [
        (entry["name"], entry["status"], entry["address"], entry["podCIDR"], str(entry["pods"]))
        for entry in cluster["nodes"]
    ]
    return "\n\n".join(
        [
            f"API  {cluster['server']}\nexport KUBECONFIG={cluster['kubeconfig']}",
            table(("SERVICE", "CLUSTER-IP", "PORTS", "FROM OUTSIDE"), services),
            table(("NODE", "STATUS", "ADDRESS", "POD CIDR", "PODS"), nodes),
        ]
    )
