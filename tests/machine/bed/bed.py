"""A bed of machines: an engine in a network namespace, a bridge for the machines, and a link to the root namespace.

Makes and completely removes it. Its names contain the process that owns the bed, so that the bed of a killed process
can be removed later.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Final

from hull import sweep, watcher
from hull.errors import LeftOver
from hull.owner import OwnedNames, mark, sweeping
from lab.environment import clean_environment, require_root, require_space
from lab.errors import LabError
from lab.hosts import engine
from lab.hosts.engine import Engine, EngineProcesses
from lab.layout import NETNS_ROOT, HostPaths
from lab.machine.recipe import HOST, Recipe
from lab.network import subnets
from netstack import changes as c
from netstack import namespaces
from netstack.network import open_network
from netstack.state import Address
from tests.machine.bed.docker import Docker
from tests.machine.bed.image import IMAGES
from tests.machine.bed.machine import Machine

BRIDGE: Final = "machines"
_LEG: Final = "outside"
NAMES: Final = OwnedNames("sampan-machines")
"""The names of beds."""

_DEFAULT_BRIDGE: Final = "172.17.0.1/16"
"""The address that Docker itself uses by default."""
_MACHINE_BYTES: Final = 512 << 20
_CAPABILITIES: Final = (
    "SYS_ADMIN",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_CHROOT",
    "MKNOD",
    "AUDIT_WRITE",
    "SETFCAP",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "SYSLOG",
    "SYS_NICE",
)
"""The capabilities that systemd, Docker and an agent need. A privileged container would see this machine's devices."""

OPTIONS: Final = (
    "--cgroupns=private",
    "--stop-signal=SIGRTMIN+3",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--tmpfs=/run:exec",
    "--tmpfs=/tmp:exec,mode=1777",
    # Overlay file systems do not stack.
    "--volume=/var/lib/docker",
    *(f"--cap-add={name}" for name in _CAPABILITIES),
)
"""The options of `docker run` for a machine. Its own cgroup namespace keeps the cgroups of systemd and of the inner
Docker below the machine's cgroup."""


class MachineBed:
    """Machines on one bridge. A context manager: the engine runs in its block, and everything is removed at its end."""

    def __init__(self, recipe: Recipe = HOST, *, default_bridge: bool = False) -> None:
        """`default_bridge`: the engine also has Docker's default network, for machines that other programs make."""
        self.name = NAMES.new()
        self._recipe = recipe
        self._paths = _paths(self.name)
        bridge = _DEFAULT_BRIDGE if default_bridge else ""
        self._engine = Engine(self._paths, f"/{self.name}", mirror="127.0.0.1:5000", bridge=bridge)
        self._running: EngineProcesses | None = None
        self._subnet = IPv4Network("0.0.0.0/32")
        self._machines: list[Machine] = []

    def __enter__(self) -> "MachineBed":
        require_root()
        image = IMAGES.build(self._recipe)
        require_space(IMAGES.root, _MACHINE_BYTES, "a machine")
        watcher.watch(f"{__name__}:sweep_ended", IMAGES.root, NETNS_ROOT, mark=mark())
        try:
            namespaces.create(self.name)
            self._link_data(image / "engine/data")
            self._running = self._engine.start()
            self._engine.wait_ready(self._running)
            self._connect()
        except BaseException:
            remove(self.name, self._running)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove(self.name, self._running)

    @property
    def docker(self) -> Docker:
        return Docker(self._paths.engine_socket)

    @property
    def subnet(self) -> IPv4Network:
        """The subnet of the machines; the address of this machine in it is the last but one."""
        return self._subnet

    @property
    def namespace(self) -> str:
        """The name of the network namespace with the bridge."""
        return self.name

    @property
    def machines(self) -> Sequence[Machine]:
        return tuple(self._machines)

    def add(self, name: str, *options: str) -> Machine:
        """Add a machine and switch it on; `wait_running` awaits its boot. `options`: more options of `docker run`."""
        address = subnets.host_address(self._subnet, len(self._machines))
        machine = Machine(name, address, self.docker)
        self.docker.must(
            "run", "--detach", f"--name={name}", f"--hostname={name}", f"--network={BRIDGE}", f"--ip={address}",
            *OPTIONS, *options, self._recipe.image,
        )  # fmt: skip
        self._machines.append(machine)
        return machine

    def boot(self, *names: str) -> list[Machine]:
        """Add several machines and wait until they have booted."""
        machines = [self.add(name) for name in names]
        for machine in machines:
            machine.wait_running()
        return machines

    def remove(self, machine: Machine) -> None:
        """Remove one machine, with its disk."""
        self.docker.must("rm", "--force", "--volumes", machine.name)
        self._machines.remove(machine)

    def _link_data(self, source: Path) -> None:
        """Hard-link the image's layers, as nothing writes to a layer. The engine's own small files are copied."""
        target = self._paths.engine / "data"
        target.mkdir(parents=True, mode=0o710)
        for part, how in (("overlay2", "-al"), ("image", "-a")):
            copied = subprocess.run(
                ["cp", how, str(source / part), str(target / part)],
                check=False, capture_output=True, text=True, env=clean_environment(),
            )  # fmt: skip
            if copied.returncode != 0:
                raise LabError(f"the machines' image cannot be used: {copied.stderr.strip()[-300:]}")

    def _connect(self) -> None:
        """Make the bridge, as a network of the engine, and this machine's link to it."""
        with subnets.choosing() as subnet:
            outside = subnets.root_address(subnet)
            self.docker.must(
                "network", "create", "--driver=bridge", f"--subnet={subnet}",
                f"--gateway={subnets.bridge_address(subnet)}", f"--aux-address=outside={outside}",
                f"--opt=com.docker.network.bridge.name={BRIDGE}", BRIDGE,
            )  # fmt: skip
            link = _link(self.name)
            with open_network() as root:
                interface = IPv4Interface((outside, subnet.prefixlen))
                root.change([c.AddVeth(link, _LEG, peer_namespace=self.name), c.SetLink(link, up=True)])
                root.change([c.SetAddress(Address(link, interface))])
            with open_network(self.name) as network:
                network.change([c.SetLink(_LEG, master=BRIDGE, up=True)])
        self._subnet = subnet


def remove(name: str, running: EngineProcesses | None = None) -> None:
    """Remove a bed by its name, whatever is left of it. Raises LeftOver."""
    paths = _paths(name)
    engine_ = Engine(paths, f"/{name}", mirror="127.0.0.1:5000")
    sweep.kill_all(sweep.members_of_cgroup(f"/{name}"))
    if running is not None:
        engine_.stop(running)
    else:
        sweep.kill_all(sweep.members_of_netns([paths.netns]))
        engine_.clean()
    with open_network() as root:
        root.change([c.DeleteLink(_link(name))])
    namespaces.delete(name)
    shutil.rmtree(paths.directory, ignore_errors=True)
    engine.remove_shared_directories()
    if left := list(leftovers(name)):
        raise LeftOver(f"left of the machines {name}: {', '.join(left)}")


def leftovers(name: str) -> Iterator[str]:
    """The parts of a bed that exist, for people."""
    paths = _paths(name)
    if paths.netns.exists():
        yield f"network namespace {name}"
    if paths.directory.exists():
        yield str(paths.directory)
    if sweep.cgroup_exists(f"/{name}"):
        yield f"cgroup {name}"
    with open_network() as root:
        if root.link(_link(name)) is not None:
            yield f"link {_link(name)}"


def sweep_ended() -> tuple[str, ...]:
    """Remove the beds of ended processes; the names of these beds."""
    with sweeping():
        names = {path.name for path in IMAGES.root.glob("*")} | set(namespaces.names())
        ended = NAMES.ended(sorted(names))
        for name in ended:
            remove(name)
    return ended


def _paths(name: str) -> HostPaths:
    """Below the cache, because hard links need the same file system."""
    return HostPaths(IMAGES.root / name, NETNS_ROOT / name)


def _link(name: str) -> str:
    """A digest stands for the name, as link names have at most 15 characters."""
    return "sampan-" + hashlib.sha256(name.encode()).hexdigest()[:8]
