"""Faults of a host's cable: cut, flapping, packet loss, bandwidth, MTU.

Changes the kernel first, then the lab's record, so that a reboot can restore the faults of the cable.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from lab.cluster import Cluster
from lab.errors import LabError
from lab.network import underlay, wire_faults
from lab.state import HostState, LabState
from lab.wire import Way, Wire


def cut(cluster: Cluster, host: str, way: Way | None = None) -> None:
    """Cut a host off the underlay. Its processes and its local links keep running.

    Without `way`, the cable is unplugged and the host loses its carrier. With `way`, the packets of that direction or
    of those peers are dropped silently.
    """
    if way is None:
        _plug(cluster, host, connected=False)
        return
    if way is Way.FROM_MASTER and cluster.lab.state.host(host).role == "master":
        raise LabError(f"{host} is the master: it cannot be cut from itself")
    _change_wire(cluster, host, lambda wire: replace(wire, cuts=wire.cuts | {way}))


def flap(cluster: Cluster, host: str, *, for_s: float, period_s: float = 1.0, way: Way | None = None) -> None:
    """Cut and repair a cable for `for_s` seconds, half of each period; `way` as in `cut`.

    The cable works again when this returns.
    """
    ends_at = time.monotonic() + for_s
    try:
        while time.monotonic() < ends_at:
            cut(cluster, host, way)
            time.sleep(period_s / 2)
            _undo_cut(cluster, host, way)
            time.sleep(period_s / 2)
    finally:
        _undo_cut(cluster, host, way)


def loss(cluster: Cluster, host: str, percent: float) -> None:
    """Drop this percentage of the packets that the host sends and receives. Only IPv4: ARP always passes."""
    _change_wire(cluster, host, lambda wire: replace(wire, loss_percent=percent))


def rate(cluster: Cluster, host: str, mbit: float | None) -> None:
    """Limit the cable's bandwidth in each direction, in Mbit/s; None removes the limit."""
    _change_wire(cluster, host, lambda wire: replace(wire, rate_mbit=mbit))


def mtu(cluster: Cluster, host: str, size_bytes: int) -> None:
    """Set the MTU of both ends of the cable. Larger packets from other hosts are dropped without an ICMP error."""
    _change_wire(cluster, host, lambda wire: replace(wire, mtu=size_bytes))


def repair(cluster: Cluster, host: str) -> None:
    """Undo all faults of the cable."""
    _plug(cluster, host, connected=True)
    # Applied even if the record has no faults: an interrupted command may have changed the kernel, but not the record.
    _change_wire(cluster, host, lambda _: Wire(), always=True)


def _undo_cut(cluster: Cluster, host: str, way: Way | None) -> None:
    """Undo this cut; the cable's other faults stay."""
    if way is None:
        _plug(cluster, host, connected=True)
    else:
        _change_wire(cluster, host, lambda wire: replace(wire, cuts=wire.cuts - {way}))


def _plug(cluster: Cluster, host: str, *, connected: bool) -> None:
    lab = cluster.lab
    lab.state.host(host)  # raises NotFound
    underlay.plug(lab.layout, host, connected=connected)
    lab.file.update_host(host, lambda state: replace(state, cut=not connected))


def _change_wire(cluster: Cluster, host: str, change: Callable[[Wire], Wire], *, always: bool = False) -> None:
    """Change a cable in the kernel and in the record, under the record's lock: one rule set serves all cables.

    `always`: write to the kernel even if the record says that nothing changes.
    """
    lab = cluster.lab

    def apply(state: LabState) -> LabState:
        before = state.host(host)
        after = replace(before, wire=change(before.wire))
        changed = state.with_host(after)
        if always or _quality(after) != _quality(before):
            wire_faults.apply_quality(lab.layout, after)
        if always or before.wire.filters or after.wire.filters:
            wire_faults.apply_rules(lab.layout, changed)
        return changed

    lab.file.update(apply)


def _quality(host: HostState) -> tuple[float | None, int]:
    return host.wire.rate_mbit, host.wire.mtu
