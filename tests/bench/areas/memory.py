"""memory/master_mb and memory/agent_10_pods_mb: resident memory with children, idle, 10 pods on node1.

A page that several of these processes share, such as one of the interpreter, counts once: it is there once. Pages that
they share with other processes count in full, although a lab shares them between all its daemons: on a host of its own
an agent shares them with nobody.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from lab.cluster import Cluster
from lab.config import KUBERNETES_PERIODS
from lab.plugin.clusters import running_cluster
from tests.bench.figure import Figure
from tests.bench.lab import create_ready, pod

SETTLE_S = 5.0
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_ENTRY = struct.Struct("=Q")
_PRESENT, _FRAME = 1 << 63, (1 << 55) - 1


def measure() -> Iterator[Figure]:
    with running_cluster(periods=KUBERNETES_PERIODS) as cluster:
        fill(cluster)
        time.sleep(SETTLE_S)
        yield Figure("memory", "master_mb", resident_mb(cluster, "master"), "MB", goal=130.0)
        yield Figure("memory", "agent_10_pods_mb", resident_mb(cluster, "node1"), "MB", goal=90.0)


def fill(cluster: Cluster) -> None:
    """Ten pods on node1, all Ready."""
    with cluster.client() as client:
        for number in range(10):
            create_ready(client, pod(f"idle-{number}", "node1"))


def tree(cluster: Cluster, host: str) -> list[psutil.Process]:
    """The processes of a host's master or agent: itself and its descendants."""
    record = cluster.record(host)
    assert record is not None, f"nothing runs on {host}"
    process = psutil.Process(record.pid)
    return [process, *process.children(recursive=True)]


def resident_mb(cluster: Cluster, host: str) -> float:
    """What a host's master or agent and its children hold, each page once."""
    return len(set().union(*(_frames(process.pid) for process in tree(cluster, host)))) * PAGE_SIZE / 1e6


def summed_mb(cluster: Cluster, host: str) -> float:
    """The sum of their resident memory, in which shared pages count for each process."""
    return sum(process.memory_info().rss for process in tree(cluster, host)) / 1e6


def _frames(pid: int) -> set[int]:
    """The page frames that a process has mapped. Reading their numbers needs CAP_SYS_ADMIN (kernel doc, pagemap)."""
    found: set[int] = set()
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pagemap:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, end = (int(part, 16) // PAGE_SIZE for part in line.partition(" ")[0].split("-"))
            with suppress(OSError):  # vsyscall is beyond the last page
                pagemap.seek(first * _ENTRY.size)
                entries = _ENTRY.iter_unpack(pagemap.read((end - first) * _ENTRY.size))
                found.update(entry & _FRAME for (entry,) in entries if entry & _PRESENT)
    assert 0 not in found, "the kernel does not tell page frames"
    return found
