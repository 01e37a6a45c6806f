"""One lab: hosts on an underlay, a registry with the images, an engine on each node. Makes and removes it.

Clusters are in cluster.py, faults in `faults`. Every step can be repeated after an interruption, and removal needs only
the lab's name.
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
from hull.mounts import mounts_below
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
"""Upper bound for a node with the examples: unpacked images, state of engine and agent, logs."""


class Lab:
    """One lab, which may not exist yet. `state` is read from the file at each use: other commands may change it."""

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
        """Make the hosts that are missing. An existing lab keeps its number of nodes."""
        require_root()
        try:
            state = self.state
        except NotFound:
            state = self._first_state(nodes)
        underlay.create(self.layout, state)
        for host in state.hosts:
            paths = self.layout.host(host.name)
            for directory in (paths.etc, paths.logs, paths.volumes_root):
                directory.mkdir(parents=True, exist_ok=True)
            _make_hosts_file(paths.volumes_root, state)

    def host_paths(self, host: str) -> HostPaths:
        return self.layout.host(self.state.host(host).name)

    def registry(self) -> Registry:
        return Registry(self.layout, subnets.bridge_address(self.state.subnet))

    def engine(self, host: str) -> Engine:
        state = self.state
        if state.host(host).role != "node":
            raise LabError(f"host {host} has no engine: it is not a node")
        endpoint = Registry(self.layout, subnets.bridge_address(state.subnet)).endpoint
        return Engine(self.layout.host(host), self.layout.host_cgroup(host), endpoint)

    def start_registry(self) -> None:
        """Start the registry unless it runs, and wait until it answers."""
        registry = self.registry()
        running = self.state.registry
        if running is None or not processes.alive(running):
            running = registry.start()
            self.file.update(lambda state: replace(state, registry=running))
        registry.wait_ready(running)

    def push_images(self) -> list[str]:
        """Build the images that the cache lacks, push those that the registry lacks; the references of the latter."""
        address = str(self.registry().address)
        return [image.recipe.reference for image in build(IMAGES) if push(image, address, PORT)]

    def start_engines(self, hosts: Iterable[str] | None = None) -> None:
        """Start the engines that do not run, in parallel, and wait until all answer."""
        names = list(hosts) if hosts is not None else [host.name for host in self.state.nodes]
        in_parallel(names, self.start_engine)

    def start_engine(self, host: str) -> None:
        """Start the host's engine unless it runs, and wait until it answers."""
        engine_ = self.engine(host)
        running = self.engine_processes(host)
        if running is None or not all(map(processes.alive, (running.containerd, running.dockerd))):
            if running is not None:
                # If only one daemon runs, it cannot use a new instance of the other: restart both.
                processes.stop(running.dockerd)
                processes.stop(running.containerd)
            started = engine_.start()
            running = started
            self.file.update_host(host, lambda state: _with_engine(state, started))
        engine_.wait_ready(running)

    def stop_engine(self, host: str) -> None:
        """Stop an engine and all its containers."""
        running = self.engine_processes(host)
        if running is not None:
            self.engine(host).stop(running)
            self.file.update_host(host, lambda state: _with_engine(state, None))

    def kill_engine(self, host: str) -> None:
        """SIGKILL the daemons; the containers keep running, as after a crash."""
        running = self.engine_processes(host)
        if running is not None:
            self.engine(host).kill(running)
            self.file.update_host(host, lambda state: _with_engine(state, None))

    def engine_processes(self, host: str) -> EngineProcesses | None:
        """The recorded processes of the host's engine; None if it was stopped or never started."""
        recorded = self.state.host(host).processes
        if not all(name in recorded for name in _ENGINE_DAEMONS):
            return None
        return EngineProcesses(recorded["containerd"], recorded["dockerd"])

    def running(self, host: str) -> dict[str, int]:
        """Name and pid of the daemons of a host that still run."""
        recorded = self.state.host(host).processes
        return {name: record.pid for name, record in sorted(recorded.items()) if processes.alive(record)}

    def pids(self, host: str) -> list[int]:
        """The pids of all processes of a host: daemons, shims and containers."""
        members = sweep.members_of_netns([self.layout.host(host).netns])
        members += sweep.members_of_cgroup(self.layout.host_cgroup(host))
        return sorted({record.pid for record in members})

    def _first_state(self, nodes: int) -> LabState:
        """Choose a subnet and write the state file, with which the lab begins to exist."""
        if not 1 <= nodes < subnets.MOST_HOSTS:
            raise LabError(f"a lab has 1 to {subnets.MOST_HOSTS - 1} nodes, not {nodes}")
        require_space(self.layout.directory, nodes * _NODE_BYTES, f"a lab of {nodes} nodes")
        with subnets.choosing() as subnet:
            state = LabState(self.name, subnet, tuple(_hosts(subnet, nodes)))
            self.file.save(state)
        return state


def delete(name: str) -> list[ProcessRecord]:
    """Remove a lab with everything in it, by its name: even if it is half-made, half-removed or lost its state file.

    Kills all its processes and returns their records. Raises LeftOver.
    """
    require_root()
    layout = Layout(name)
    killed = _members(layout)
    sweep.kill_all(killed)
    for path in sorted(layout.directory.glob("hosts/*")):
        host = layout.host(path.name)
        # The processes have ended, shims included; sockets and mounts are left.
        Engine(host, layout.host_cgroup(path.name), mirror="").clean()
    sweep.kill_all(_members(layout))
    sweep.unmount_below(layout.directory)
    for path in layout.directory.glob("hosts/*"):
        for directory in (layout.host(path.name).master_data, layout.host(path.name).agent_state):
            immutable.allow(directory)
    sweep.remove_cgroup(layout.cgroup)
    underlay.remove(layout)
    shutil.rmtree(layout.directory, ignore_errors=True)
    engine.remove_shared_directories()
    for directory in (LABS_ROOT, LABS_ROOT.parent):
        _remove_if_empty(directory)
    left = list(leftovers(name))
    if left:
        raise LeftOver(f"left of lab {name}: {'; '.join(left)}")
    for lock in (StateFile(layout).lock_file, layout.lock_file):
        lock.unlink(missing_ok=True)
    return killed


def leftovers(name: str) -> Iterator[str]:
    """Everything of a lab that exists on this machine, for people; empty after a complete removal."""
    layout = Layout(name)
    yield from (f"process {record.pid}" for record in _members(layout))
    yield from (f"mount {target}" for target in mounts_below(layout.directory))
    if sweep.cgroup_exists(layout.cgroup):
        yield f"cgroup {layout.cgroup}"
    yield from underlay.leftovers(layout)
    if layout.directory.exists():
        yield f"directory {layout.directory}"


def names() -> list[str]:
    """The names of this machine's labs."""
    return sorted(path.parent.name for path in LABS_ROOT.glob("*/lab.json"))


def in_parallel(items: Iterable[T], work: Callable[[T], R]) -> list[R]:
    """Call `work` for all items at once, on a thread each. Raises the first error, after all calls have ended."""
    items = list(items)
    if not items:
        return []
    with ThreadPoolExecutor(max_workers=len(items), thread_name_prefix="lab") as pool:
        futures = [pool.submit(work, item) for item in items]
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
        return  # another lab uses it, or it does not exist


def _make_hosts_file(root: Path, state: LabState) -> None:
    """The host's /etc/hosts, which pods in its network and pods that mount it get; a changed one stays."""
    file = root / "etc" / "hosts"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        names = ("127.0.0.1\tlocalhost", *(f"{host.address}\t{host.name}" for host in state.hosts))
        file.write_text("".join(f"{line}\n" for line in names))
