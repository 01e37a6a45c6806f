"""Faults on a cluster that are undone at the end of a test, whatever happens."""

from __future__ import annotations

from lab import faults
from lab.cluster import Cluster
from lab.faults import Target, Way, disk


class Faults:
    """The functions of lab/faults.py on one cluster. Owns the memory of which hosts have to be mended."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._spoiled: dict[str, None] = {}

    def cut(self, host: str, way: Way | None = None) -> None:
        """Without a way the cable is pulled; with one, packets vanish silently."""
        faults.cut(self._cluster, self._remembered(host), way)

    def flap(self, host: str, *, for_s: float, period_s: float = 1.0, way: Way | None = None) -> None:
        """Cut and mended again and again; returns when it is over."""
        faults.flap(self._cluster, self._remembered(host), for_s=for_s, period_s=period_s, way=way)

    def loss(self, host: str, percent: float) -> None:
        """Of each direction; 0: none."""
        faults.loss(self._cluster, self._remembered(host), percent)

    def rate(self, host: str, mbit: float | None) -> None:
        """Of each direction; None: as fast as it goes."""
        faults.rate(self._cluster, self._remembered(host), mbit)

    def mtu(self, host: str, size_bytes: int) -> None:
        faults.mtu(self._cluster, self._remembered(host), size_bytes)

    def refuse_writes(self, host: str) -> None:
        """The disk of what the host's master or agent keeps can be read, and takes nothing."""
        disk.refuse(self._cluster, self._remembered(host))

    def set_clock(self, host: str, ahead_s: float) -> None:
        """The wall clock of the host's master or agent; the first time it is started again, with one of its own."""
        faults.set_clock(self._cluster, self._remembered(host), ahead_s)

    def heal(self, host: str) -> None:
        """The cable is as new, the disk takes writes, the clock is right, and what was paused goes on."""
        faults.heal(self._cluster, host)

    def stop(self, host: str, target: Target | None = None) -> None:
        faults.stop(self._cluster, self._remembered(host), target)

    def kill(self, host: str, target: Target | None = None) -> None:
        faults.kill(self._cluster, self._remembered(host), target)

    def pause(self, host: str, target: Target | None = None) -> None:
        faults.pause(self._cluster, self._remembered(host), target)

    def resume(self, host: str, target: Target | None = None) -> None:
        faults.resume(self._cluster, host, target)

    def start(self, host: str, target: Target | None = None) -> None:
        faults.start(self._cluster, host, target)

    def reboot(self, host: str) -> None:
        faults.reboot(self._cluster, self._remembered(host))

    def undo(self) -> None:
        """Mend what was spoiled, start what does not run, and wait until all nodes are Ready again.

        Raises StartFailed when the cluster does not recover.
        """
        if not self._spoiled:
            return
        for host in self._spoiled:
            faults.heal(self._cluster, host)
        self._spoiled.clear()
        self._cluster.lab.start_engines()
        self._cluster.start()
        self._cluster.wait_api()
        self._cluster.wait_nodes(timeout_s=60.0)

    def _remembered(self, host: str) -> str:
        """Before the fault: half of one has to be mended as well."""
        self._spoiled[host] = None
        return host
