"""What a test left on a shared cluster: the difference between two snapshots of its hosts.

Waits a little, because agents remove the rules of a service a moment after the API reports that the service is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hull import sweep
from hull.mounts import mounts_below
from hull.processes import until
from lab.cluster import Cluster
from lab.hosts import engine_api
from lab.state import HostState
from netrig.plugin.leaks import Snapshot, Thing, rules_of

_PATIENCE_S: Final = 10.0


def left_since(before: Snapshot, cluster: Cluster) -> tuple[Thing, ...]:
    """The things that were not in `before`, after enough time for a reconcile."""
    left: tuple[Thing, ...] = ()
    for _ in until(_PATIENCE_S):
        left = take(cluster).beyond(before)
        if not left:
            break
    return left


def take(cluster: Cluster) -> Snapshot:
    """A snapshot of all hosts: containers, links, packet filter rules, mounts, processes, faults of cables.

    Raises LabError if a host cannot be inspected, for example because its engine does not answer.
    """
    return Snapshot(frozenset(thing for host in cluster.lab.state.hosts for thing in _of_host(cluster, host)))


def _of_host(cluster: Cluster, host: HostState) -> Iterator[Thing]:
    paths = cluster.lab.host_paths(host.name)
    node = cluster.host(host.name)
    for link in node.links():
        yield Thing("link", f"{host.name}:{link.name}")
    for rule in rules_of(node.rules()):
        yield Thing("rule", f"{host.name}: {rule}")
    for mount in mounts_below(paths.directory):
        # An engine keeps its host's namespace from the first container with the host's network on.
        if mount != str(paths.engine / "exec/netns/default"):
            yield Thing("mount", mount)
    for fault in host.faults():
        yield Thing("fault", f"{host.name}: {fault}")
    if host.role == "node":
        for container in engine_api.containers(paths.engine_socket):
            yield Thing("container", f"{host.name}:{_name(container['Names'], container['Id'])}")
        for record in sweep.members_of_cgroup(cluster.lab.layout.host_cgroup(host.name)):
            yield Thing("process", f"{host.name}:{record.pid} ({_command(record.pid)})")


def _name(names: list[str], identity: str) -> str:
    return names[0].removeprefix("/") if names else identity[:12]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"
