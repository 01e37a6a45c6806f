"""Clusters that tests may harm, lent to one module or test after another: making one takes seconds.

A cluster comes back into the pool only if nothing distinguishes it from a new one: the same objects, and on its hosts
the same links, rules, mounts, containers and daemons. Otherwise it is removed, and the next borrower gets a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from client.errors import ClientError
from hull.errors import HullError
from hull.processes import until
from lab import faults
from lab.cluster import Cluster
from lab.config import Periods
from lab.errors import LabError
from lab.plugin import leaks
from lab.plugin.clusters import running_cluster
from netrig.errors import NetrigError
from netrig.plugin.leaks import Snapshot, Thing
from netstack.errors import NetstackError

_PATIENCE_S: Final = 4.0
"""A cluster that is not as new after this time is removed: waiting longer costs more than a new one."""
_VOLATILE: Final = ("events",)
"""Resources of which every cluster has other objects each second."""


@dataclass(frozen=True, slots=True, eq=False)
class _Lent:
    """One cluster, what it has to look like, and what removes it."""

    nodes: int
    periods: Periods
    cluster: Cluster
    new: Snapshot
    removal: ExitStack


class ClusterPool:
    """A context manager; at its end all clusters are removed. `command`: as for `running_cluster`."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        self._command = command
        self._idle: list[_Lent] = []

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for lent in self._idle:
                stack.push(lent.removal)

    @contextmanager
    def lend(self, *, nodes: int = 3, periods: Periods | None = None) -> Iterator[Cluster]:
        """A running cluster that nobody else uses meanwhile; its nodes are Ready. Raises LeftOver."""
        lent = self._taken(nodes, periods or Periods())
        with ExitStack() as stack:
            stack.push(lent.removal)
            yield lent.cluster
            if _is_as_new(lent):
                self._idle.append(lent)
                stack.pop_all()

    def _taken(self, nodes: int, periods: Periods) -> _Lent:
        for lent in self._idle:
            if (lent.nodes, lent.periods) == (nodes, periods):
                self._idle.remove(lent)
                return lent
        return self._made(nodes, periods)

    def _made(self, nodes: int, periods: Periods) -> _Lent:
        with ExitStack() as stack:
            made = running_cluster(nodes=nodes, periods=periods, command=self._command)
            cluster = stack.enter_context(made)
            return _Lent(nodes, periods, cluster, _settled(cluster), stack.pop_all())


def _is_as_new(lent: _Lent) -> bool:
    """Undoes the faults; whatever else a borrower has changed is a reason to remove the cluster."""
    try:
        for host in lent.cluster.lab.state.hosts:
            faults.heal(lent.cluster, host.name)
        return any(_snapshot(lent.cluster) == lent.new for _ in until(_PATIENCE_S))
    except (ClientError, HullError, LabError, NetrigError, NetstackError, OSError):
        return False


def _settled(cluster: Cluster) -> Snapshot:
    """The first snapshot that is taken twice in a row: agents still write rules when their nodes become Ready."""
    snapshot = _snapshot(cluster)
    for _ in until(_PATIENCE_S, interval_s=0.1):
        before, snapshot = snapshot, _snapshot(cluster)
        if before == snapshot:
            break
    return snapshot


def _snapshot(cluster: Cluster) -> Snapshot:
    return Snapshot(leaks.take(cluster).things | frozenset(_objects(cluster)) | frozenset(_daemons(cluster)))


def _objects(cluster: Cluster) -> Iterator[Thing]:
    """Every object of the API's first group but events: what people may change, and the status of a node's Ready."""
    with cluster.client() as client:
        names = [resource["name"] for resource in client.get("/api/v1")["resources"]]
        for plural in (name for name in names if "/" not in name and name not in _VOLATILE):
            for item in client.get(f"/api/v1/{plural}")["items"]:
                metadata, conditions = item["metadata"], (item.get("status") or {}).get("conditions") or ()
                ready = [condition["status"] for condition in conditions if condition["type"] == "Ready"]
                content = {key: value for key, value in item.items() if key not in ("metadata", "status")}
                text = json.dumps([metadata.get("labels"), content, ready], sort_keys=True)
                yield Thing(plural, f"{metadata.get('namespace', '')}/{metadata['name']} {text}")


def _daemons(cluster: Cluster) -> Iterator[Thing]:
    for host in cluster.lab.state.hosts:
        for name in cluster.lab.running(host.name):
            yield Thing("daemon", f"{host.name}:{name}")
