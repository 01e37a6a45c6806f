"""Faults on a cluster that are undone at the end of a test in any case."""

from __future__ import annotations

from lab import faults
from lab.cluster import Cluster
from lab.faults import Target, Way, disk


class Faults:
    """The functions of `lab.faults` on one cluster. Records the affected hosts, so that `undo` can repair them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._affected: dict[str, None] = {}

    def cut(self, host: str, way: Way | None = None) -> None:
        """Without `way`, the cable is unplugged; with it, packets are dropped silently."""
        faults.cut(self._cluster, self._recorded(host), way)

    def flap(self, host: str, *, for_s: float, period_s: float = 1.0, way: Way | None = None) -> None:
        """Cut and repair the cable repeatedly; returns after `for_s` seconds."""
        faults.flap(self._cluster, self._recorded(host), for_s=for_s, period_s=period_s, way=way)

    def loss(self, host: str, percent: float) -> None:
        """Percentage of packets in each direction; 0: none."""
        faults.loss(self._cluster, self._recorded(host), percent)

    def rate(self, host: str, mbit: float | None) -> None:
        """In each direction; None: no limit."""
        faults.rate(self._cluster, self._recorded(host), mbit)

    def mtu(self, host: str, size_bytes: int) -> None:
        """The MTU of both ends of the cable."""
        faults.mtu(self._cluster, self._recorded(host), size_bytes)

    def refuse_writes(self, host: str) -> None:
        """The disk of the host's master or agent refuses writes; reads still work."""
        disk.refuse(self._cluster, self._recorded(host))

    def set_clock(self, host: str, ahead_s: float) -> None:
        """The wall clock of the host's master or agent, which is restarted at the first call."""
        faults.set_clock(self._cluster, self._recorded(host), ahead_s)

    def heal(self, host: str) -> None:
        """Repair the cable, allow writes, set the clock right, and resume frozen daemons."""
        faults.heal(self._cluster, host)

    def stop(self, host: str, target: Target | None = None) -> None:
        faults.stop(self._cluster, self._recorded(host), target)

    def kill(self, host: str, target: Target | None = None) -> None:
        faults.kill(self._cluster, self._recorded(host), target)

    def pause(self, host: str, target: Target | None = None) -> None:
        faults.pause(self._cluster, self._recorded(host), target)

    def resume(self, host: str, target: Target | None = None) -> None:
        faults.resume(self._cluster, host, target)

    def start(self, host: str, target: Target | None = None) -> None:
        faults.start(self._cluster, host, target)

    def reboot(self, host: str) -> None:
        faults.reboot(self._cluster, self._recorded(host))

    def undo(self) -> None:
        """Heal the affected hosts, start the daemons that do not run, and wait until all nodes are Ready again.

        Raises StartFailed if the cluster does not recover.
        """
        if not self._affected:
            return
        for host in self._affected:
            faults.heal(self._cluster, host)
        self._affected.clear()
        self._cluster.lab.start_engines()
        self._cluster.start()
        self._cluster.wait_api()
        self._cluster.wait_nodes(timeout_s=60.0)

    def _recorded(self, host: str) -> str:
        """Record the host before the fault, as a fault that fails halfway has to be undone too."""
        self._affected[host] = None
        return host
