"""One lab: hosts on an underlay, a registry with the images, an engine on each node. Makes it and removes it.

What runs on the hosts beyond that, a cluster, is cluster.py's business; faults are in faults.py. Every step may be run
again after an interruption, and removal needs nothing but the lab's name.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar

from hull import processes, sweep
from hull.errors import LeftOver
from hull.processes import ProcessRecord
from lab.environment import require_root, require_space
from lab.errors import LabError, NotFound
from lab.hosts import engine, immutable
from lab.hosts.engine import Engine, EngineProcesses
from lab.images.builder import build
from lab.images.push import push
from lab.images.recipes import IMAGES
from lab.images.registry import PORT, Registry
from lab.layout import LABS_ROOT, HostPaths, Layout
from lab.network import subnets, underlay
from lab.state import HostState, LabState, StateFile

T = TypeVar("T")
R = TypeVar("R")

_ENGINE_DAEMONS = ("containerd", "dockerd")
_NODE_BYTES = 128 << 20
"""What a node of the examples takes at most: images unpacked, the engine's and the agent's state, logs."""


class Lab:
    """A lab that exists. `state` is read anew at each use: another command may have changed it."""

    def __init__(self, name: str) -> None:
        self.layout = Layout(name)
        self.file = StateFile(self.layout)

    @property
    def name(self) -> str:
        return self.layout.name

    @property
    def state(self) -> LabState:
        return self.file.load()

    @property
    def exists(self) -> bool:
        return self.layout.state_file.exists()

    def create(self, *, nodes: int = 3) -> None:
        """Make the hosts, or what is missing of them. The number of nodes of a lab that exists stays."""
        require_root()
        try:
            state = self.state
        except NotFound:
            state = self._found(nodes)
        underlay.create(self.layout, state)
        for host in state.hosts:
            paths = self.layout.host(host.name)
            for directory in (paths.etc, paths.logs, paths.volumes_root):
                directory.mkdir(parents=True, exist_ok=True)

    def host_paths(self, host: str) -> HostPaths:
        return self.layout.host(self.state.host(host).name)

    def registry(self) -> Registry:
        return Registry(self.layout, subnets.bridge_address(self.state.subnet))

    def engine(self, host: str) -> Engine:
        state = self.state
        if state.host(host).role != "node":
            raise LabError(f"host {host} has no engine: only nodes have")
        endpoint = Registry(self.layout, subnets.bridge_address(state.subnet)).endpoint
        return Engine(self.layout.host(host), self.layout.host_cgroup(host), endpoint)

    def start_registry(self) -> None:
        """Start the registry unless it runs, and push the images that it lacks."""
        registry = self.registry()
        running = self.state.registry
        if running is None or not processes.alive(running):
            running = registry.start()
            self.file.update(lambda state: replace(state, registry=running))
        registry.wait_ready(running)

    def push_images(self) -> list[str]:
        """Build what the cache lacks, push what the registry lacks; the references that were pushed."""
        address = str(self.registry().address)
        return [image.recipe.reference for image in build(IMAGES) if push(image, address, PORT)]

    def start_engines(self, hosts: Iterable[str] | None = None) -> None:
        """Start the engines that do not run, all together, and wait until each answers."""
        names = list(hosts) if hosts is not None else [host.name for host in self.state.nodes]
        in_parallel(names, self.start_engine)

    def start_engine(self, host: str) -> None:
        found = self.engine(host)
        running = self.engine_processes(host)
        if running is None or not all(map(processes.alive, (running.containerd, running.dockerd))):
            if running is not None:
                # Half of a pair is of no use: the daemon that is left lost its partner.
                processes.stop(running.dockerd)
                processes.stop(running.containerd)
            started = found.start()
            running = started
            self.file.update_host(host, lambda state: _with_engine(state, started))
        found.wait_ready(running)

    def stop_engine(self, host: str) -> None:
        """Stop an engine and every container that it runs."""
        running = self.engine_processes(host)
        if running is not None:
            self.engine(host).stop(running)
            self.file.update_host(host, lambda state: _with_engine(state, None))

    def kill_engine(self, host: str) -> None:
        """SIGKILL the daemons; the containers stay, as in a crash."""
        running = self.engine_processes(host)
        if running is not None:
            self.engine(host).kill(running)
            self.file.update_host(host, lambda state: _with_engine(state, None))

    def engine_processes(self, host: str) -> EngineProcesses | None:
        recorded = self.state.host(host).processes
        if not all(name in recorded for name in _ENGINE_DAEMONS):
            return None
        return EngineProcesses(recorded["containerd"], recorded["dockerd"])

    def running(self, host: str) -> dict[str, int]:
        """Name and pid of what was started on a host and still runs."""
        recorded = self.state.host(host).processes
        return {name: record.pid for name, record in sorted(recorded.items()) if processes.alive(record)}

    def pids(self, host: str) -> list[int]:
        """Everything that runs on a host: daemons, shims and containers."""
        found = sweep.members_of_netns([self.layout.host(host).netns])
        found += sweep.members_of_cgroup(self.layout.host_cgroup(host))
        return sorted({record.pid for record in found})

    def _found(self, nodes: int) -> LabState:
        """Choose a subnet and write the first state: from here on the lab exists."""
        if not 1 <= nodes < subnets.MOST_HOSTS:
            raise LabError(f"a lab has 1 to {subnets.MOST_HOSTS - 1} nodes, not {nodes}")
        require_space(self.layout.directory, nodes * _NODE_BYTES, f"a lab of {nodes} nodes")
        with subnets.choosing() as subnet:
            state = LabState(self.name, subnet, tuple(_hosts(subnet, nodes)))
            self.file.save(state)
        return state


def delete(name: str) -> list[ProcessRecord]:
    """Remove a lab with all that is in it, by name: also one that is half-made, half-removed or has lost its state.

    Everything in it is killed, without asking: nothing of it is to last. What was killed is returned.
    """
    require_root()
    layout = Layout(name)
    killed = _members(layout)
    sweep.kill_all(killed)
    for path in sorted(layout.directory.glob("hosts/*")):
        host = layout.host(path.name)
        # The processes are gone by now, shims included: what is left are sockets and mounts.
        Engine(host, layout.host_cgroup(path.name), mirror="").clean()
    sweep.kill_all(_members(layout))
    sweep.unmount_below(layout.directory)
    for path in layout.directory.glob("hosts/*"):
        for kept in (layout.host(path.name).master_data, layout.host(path.name).agent_state):
            immutable.allow(kept)
    sweep.remove_cgroup(layout.cgroup)
    underlay.remove(layout)
    shutil.rmtree(layout.directory, ignore_errors=True)
    engine.remove_shared_directories()
    for directory in (LABS_ROOT, LABS_ROOT.parent):
        _remove_if_empty(directory)
    left = list(leftovers(name))
    if left:
        raise LeftOver(f"of lab {name} remain: {'; '.join(left)}")
    for lock in (StateFile(layout).lock_file, layout.lock_file):
        lock.unlink(missing_ok=True)
    return killed


def leftovers(name: str) -> Iterator[str]:
    """Everything of a lab that is on this machine, in words; nothing when it was removed."""
    layout = Layout(name)
    yield from (f"process {record.pid}" for record in _members(layout))
    yield from (f"mount {target}" for target in sweep.mounts_below(layout.directory))
    if sweep.cgroup_exists(layout.cgroup):
        yield f"cgroup {layout.cgroup}"
    yield from underlay.leftovers(layout)
    if layout.directory.exists():
        yield f"directory {layout.directory}"


def names() -> list[str]:
    """The labs of this machine."""
    return sorted(path.parent.name for path in LABS_ROOT.glob("*/lab.json"))


def in_parallel(items: Iterable[T], work: Callable[[T], R]) -> list[R]:
    """Do the same for all at once, a thread each; raises the first error after all have ended."""
    wanted = list(items)
    if not wanted:
        return []
    with ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="lab") as pool:
        futures = [pool.submit(work, item) for item in wanted]
    return [future.result() for future in futures]


def _members(layout: Layout) -> list[ProcessRecord]:
    return [*sweep.members_of_netns(layout.netns_paths()), *sweep.members_of_cgroup(layout.cgroup)]


def _hosts(subnet: IPv4Network, nodes: int) -> Iterator[HostState]:
    yield HostState("master", "master", subnets.host_address(subnet, 0))
    for number in range(1, nodes + 1):
        yield HostState(f"node{number}", "node", subnets.host_address(subnet, number))


def _with_engine(host: HostState, running: EngineProcesses | None) -> HostState:
    host = host.with_process("containerd", running.containerd if running else None)
    return host.with_process("dockerd", running.dockerd if running else None)


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return  # another lab is in it, or it is gone
