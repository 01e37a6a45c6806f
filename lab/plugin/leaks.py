"""What a test left on a cluster that others use too: the difference of two looks at its hosts.

Agents remove the rules of a service when they hear that it is gone, which is a moment after the API says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hull import sweep
from hull.processes import until
from lab.cluster import Cluster
from lab.hosts import engine_api
from lab.state import HostState
from netrig.plugin.leaks import Snapshot, Thing, rules_of

_PATIENCE_S: Final = 10.0


def left_since(before: Snapshot, cluster: Cluster) -> tuple[Thing, ...]:
    """What is there and was not before, after the patience that one reconcile deserves."""
    left: tuple[Thing, ...] = ()
    for _ in until(_PATIENCE_S):
        left = take(cluster).beyond(before)
        if not left:
            break
    return left


def take(cluster: Cluster) -> Snapshot:
    """Containers, links, packet filter rules, mounts, processes and cables' faults of all hosts.

    Raises LabError when a host cannot be looked at, as when its engine does not answer.
    """
    return Snapshot(frozenset(thing for host in cluster.lab.state.hosts for thing in _of_host(cluster, host)))


def _of_host(cluster: Cluster, host: HostState) -> Iterator[Thing]:
    paths = cluster.lab.host_paths(host.name)
    node = cluster.host(host.name)
    for link in node.links():
        yield Thing("link", f"{host.name}:{link.name}")
    for rule in rules_of(node.rules()):
        yield Thing("rule", f"{host.name}: {rule}")
    for mount in sweep.mounts_below(paths.directory):
        yield Thing("mount", mount)
    for fault in host.faults():
        yield Thing("fault", f"{host.name}: {fault}")
    if host.role == "node":
        for found in engine_api.containers(paths.engine_socket):
            yield Thing("container", f"{host.name}:{_name(found['Names'], found['Id'])}")
        for record in sweep.members_of_cgroup(cluster.lab.layout.host_cgroup(host.name)):
            yield Thing("process", f"{host.name}:{record.pid} ({_command(record.pid)})")


def _name(names: list[str], identity: str) -> str:
    return names[0].removeprefix("/") if names else identity[:12]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "just ended"
