"""Faults on demand: spoil a host's cable, end or freeze what runs on it, switch it off, and bring it back.

A target is a host, and of its processes `agent`, `master` or `engine`; without a word it is what the host is for.
Cables stay as they are until `heal`, whatever happens to the hosts. Each may be done twice.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from hull import processes
from hull.processes import ProcessRecord
from lab import clock, disk, underlay, wiring
from lab.cluster import AGENT, MASTER, Cluster
from lab.engine import EngineProcesses
from lab.errors import LabError, NotFound
from lab.reboot import reboot
from lab.state import HostState, LabState
from lab.wire import Way, Wire

__all__ = ["Target", "Way", "cut", "heal", "kill", "loss", "mtu", "pause", "rate", "reboot", "resume", "start", "stop"]

Target = Literal["agent", "master", "engine"]


def cut(cluster: Cluster, host: str, way: Way | None = None) -> None:
    """Cut a host off the underlay, both ways, or only one way or from some; processes and local links go on.

    Without a way the cable is pulled, and the host sees its carrier go; with one, packets are swallowed silently.
    """
    if way is None:
        _plug(cluster, host, connected=False)
        return
    if way is Way.FROM_MASTER and cluster.lab.state.host(host).role == "master":
        raise LabError(f"{host} is the master: it cannot be cut from itself")
    _rewire(cluster, host, lambda wire: replace(wire, cuts=wire.cuts | {way}))


def flap(cluster: Cluster, host: str, *, for_s: float, period_s: float = 1.0, way: Way | None = None) -> None:
    """Cut and mend a cable for so long, half of each period; it is whole when this returns. The way is as in `cut`."""
    ends_at = time.monotonic() + for_s
    try:
        while time.monotonic() < ends_at:
            cut(cluster, host, way)
            time.sleep(period_s / 2)
            _mend(cluster, host, way)
            time.sleep(period_s / 2)
    finally:
        _mend(cluster, host, way)


def loss(cluster: Cluster, host: str, percent: float) -> None:
    """Lose that share of what the host sends, and of what is sent to it; 0: none. Only IPv4: ARP always passes."""
    _rewire(cluster, host, lambda wire: replace(wire, loss_percent=percent))


def rate(cluster: Cluster, host: str, mbit: float | None) -> None:
    """Limit the cable's bandwidth in each direction, in Mbit/s; None: not at all."""
    _rewire(cluster, host, lambda wire: replace(wire, rate_mbit=mbit))


def mtu(cluster: Cluster, host: str, size_bytes: int) -> None:
    """Set the MTU of the host's end of the cable. Larger packets from elsewhere are dropped there without a word."""
    _rewire(cluster, host, lambda wire: replace(wire, mtu=size_bytes))


def set_clock(cluster: Cluster, host: str, ahead_s: float) -> None:
    """Set the wall clock of the host's master or agent ahead of the machine's by that much, or back (negative).

    The first time, what runs is started again, with a clock of its own. Raises Unsupported.
    """
    paths = cluster.lab.host_paths(host)
    if not clock.is_given(paths):
        clock.put(paths, 0.0)
        if cluster.record(host) is not None:
            stop(cluster, host)
            start(cluster, host)
    clock.put(paths, ahead_s)


def reset_clock(cluster: Cluster, host: str) -> None:
    """Set the host's wall clock to the machine's time, if it has one of its own."""
    paths = cluster.lab.host_paths(host)
    if clock.is_given(paths):
        clock.put(paths, 0.0)


def heal(cluster: Cluster, host: str) -> None:
    """Undo everything that lasts: the cable is as new, the disk has room, the clock is right, what was paused goes on.

    Processes that ended: `start`.
    """
    _plug(cluster, host, connected=True)
    _rewire(cluster, host, lambda _: Wire(), always=True)
    disk.undo(cluster, host)
    reset_clock(cluster, host)
    for record in cluster.lab.state.host(host).processes.values():
        processes.resume(record)


def stop(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Stop cleanly (SIGTERM). Stopping an engine ends its containers; stopping an agent leaves them."""
    if resolve(cluster, host, target) == "engine":
        _engine(cluster, host)
        cluster.lab.stop_engine(host)
    else:
        processes.stop(_running(cluster, host))


def kill(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """End by SIGKILL, as a crash does; containers go on in any case."""
    if resolve(cluster, host, target) == "engine":
        _engine(cluster, host)
        cluster.lab.kill_engine(host)
    else:
        processes.kill(_running(cluster, host))


def pause(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Freeze: the process stays, holds its sockets, and does nothing until `resume`."""
    for record in _records(cluster, host, target):
        processes.pause(record)


def resume(cluster: Cluster, host: str, target: Target | None = None) -> None:
    for record in _records(cluster, host, target):
        processes.resume(record)


def start(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Start what was stopped or killed; what runs is left alone."""
    match resolve(cluster, host, target):
        case "engine":
            cluster.lab.start_engine(host)
        case "master":
            cluster.start_master()
        case "agent":
            cluster.start_agent(host)


def _mend(cluster: Cluster, host: str, way: Way | None) -> None:
    """Undo that cut alone."""
    if way is None:
        _plug(cluster, host, connected=True)
    else:
        _rewire(cluster, host, lambda wire: replace(wire, cuts=wire.cuts - {way}))


def _plug(cluster: Cluster, host: str, *, connected: bool) -> None:
    lab = cluster.lab
    lab.state.host(host)
    underlay.plug(lab.layout, host, connected=connected)
    lab.file.update_host(host, lambda state: replace(state, cut=not connected))


def _rewire(cluster: Cluster, host: str, change: Callable[[Wire], Wire], *, always: bool = False) -> None:
    """Change a cable in the kernel, then in the record; alone, as the rules are of all cables together.

    `always`: also what the record says is so already, as an interrupted command may not have recorded what it did.
    """
    lab = cluster.lab

    def apply(state: LabState) -> LabState:
        before = state.host(host)
        after = replace(before, wire=change(before.wire))
        changed = state.with_host(after)
        if always or _quality(after) != _quality(before):
            wiring.apply_quality(lab.layout, after)
        if always or before.wire.filters or after.wire.filters:
            wiring.apply_rules(lab.layout, changed)
        return changed

    lab.file.update(apply)


def _quality(host: HostState) -> tuple[float | None, int]:
    return host.wire.rate_mbit, host.wire.mtu


def resolve(cluster: Cluster, host: str, target: Target | None) -> Target:
    """The target, or what the host runs by its role. Raises LabError when the host has no such target, NotFound."""
    role = cluster.lab.state.host(host).role
    usual: Target = "master" if role == "master" else "agent"
    if target is None or target == usual:
        return usual
    if target == "engine" and role == "node":
        return target
    raise LabError(f"host {host} has no {target}")


def _running(cluster: Cluster, host: str) -> ProcessRecord:
    record = cluster.record(host)
    if record is None:
        what = MASTER if cluster.lab.state.host(host).role == "master" else AGENT
        raise NotFound(f"the {what} of {host} does not run")
    return record


def _records(cluster: Cluster, host: str, target: Target | None) -> list[ProcessRecord]:
    if resolve(cluster, host, target) != "engine":
        return [_running(cluster, host)]
    engine = _engine(cluster, host)
    return [engine.dockerd, engine.containerd]


def _engine(cluster: Cluster, host: str) -> EngineProcesses:
    engine = cluster.lab.engine_processes(host)
    if engine is None:
        raise NotFound(f"the engine of {host} does not run")
    return engine
