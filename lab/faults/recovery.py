"""Undoes the lasting faults of a host."""

from hull import processes
from lab.cluster import Cluster
from lab.faults import cable, clock, disk


def heal(cluster: Cluster, host: str) -> None:
    """Repair the cable, make room on the disk, set the clock right, and resume frozen daemons.

    Does not start daemons that ended: `start` does.
    """
    cable.repair(cluster, host)
    disk.undo(cluster, host)
    clock.reset_clock(cluster, host)
    for record in cluster.lab.state.host(host).processes.values():
        processes.resume(record)
