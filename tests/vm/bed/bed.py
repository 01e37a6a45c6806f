"""Where virtual machines stand: a network namespace with a bridge, which leads nowhere else.

Owns making and exact removal. All names tell the process that owns the bed, so that whoever comes later removes what a
killed one left.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Final

from hull import sweep, watcher
from hull.errors import LeftOver
from hull.owner import OwnedNames, mark, sweeping
from lab.environment import clean_environment, require_root, require_space
from lab.errors import LabError
from lab.layout import NETNS_ROOT
from lab.machine.recipe import Recipe
from netrig.errors import Unsupported
from netstack import changes as c
from netstack import namespaces
from netstack.network import open_network
from netstack.state import Address
from tests.vm.bed import qemu
from tests.vm.bed.image import DISK, IMAGES, make_file_system
from tests.vm.bed.machine import VirtualMachine
from tests.vm.bed.qemu import Hardware
from tests.vm.bed.recipe import KEYS, NETWORK
from tests.vm.bed.ssh import Ssh, make_key

SUBNET: Final = IPv4Network("10.77.0.0/24")
"""The same for every bed, as none can reach another."""
_GATEWAY: Final = SUBNET[1]
"""The bed's own end of the wire: the machines' default route, which forwards nothing."""
_FIRST: Final = 10
_BRIDGE: Final = "machines"
NAMES: Final = OwnedNames("sampan-vms")
"""Of beds."""

_NETWORK: Final = "[Match]\nName=eth0\n\n[Network]\nAddress={address}\nGateway={gateway}\n"
_MACHINE_BYTES: Final = 2 << 30


class VmBed:
    """Virtual machines on one wire. A context: left, nothing of it is there any more."""

    def __init__(self) -> None:
        self.name = NAMES.new()
        self.directory = IMAGES.root / self.name
        """Everything of the bed lies there, and goes with it."""
        self._machines: list[VirtualMachine] = []

    def __enter__(self) -> "VmBed":
        require_root()
        if reason := qemu.unusable():
            raise Unsupported(reason)
        watcher.watch(f"{__name__}:sweep_ended", IMAGES.root, NETNS_ROOT, mark=mark())
        self.directory.mkdir(parents=True, mode=0o700)
        try:
            make_key(self.directory)
            namespaces.create(self.name)
            with open_network(self.name) as network:
                address = IPv4Interface((_GATEWAY, SUBNET.prefixlen))
                network.change([c.AddBridge(_BRIDGE), c.SetAddress(Address(_BRIDGE, address))])
        except BaseException:
            remove(self.name)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove(self.name)

    @property
    def namespace(self) -> str:
        """The network namespace from which the machines are reached, by its name."""
        return self.name

    @property
    def machines(self) -> Sequence[VirtualMachine]:
        return tuple(self._machines)

    def add(self, name: str, recipe: Recipe, given: Mapping[str, Path]) -> VirtualMachine:
        """A machine that is switched on; `given`: files and directories that it finds below /seed, by name there."""
        require_space(IMAGES.root, _MACHINE_BYTES, "a virtual machine")
        number = len(self._machines)
        made = Hardware(
            name=name,
            image=IMAGES.build(recipe),
            disk=self.directory / f"{name}.qcow2",
            seed=self.directory / f"{name}.seed",
            tap=f"tap{number}",
            address=SUBNET[_FIRST + number],
        )
        _overlay(made.image / DISK, made.disk)
        self._sow(made, given)
        ssh = Ssh(name, made.address, NETNS_ROOT / self.name, self.directory / "key", self.directory)
        machine = VirtualMachine(made, ssh, bridge=_BRIDGE)
        self._machines.append(machine)
        machine.start()
        return machine

    def _sow(self, made: Hardware, given: Mapping[str, Path]) -> None:
        """The machine's second disk."""
        tree = made.seed.with_suffix(".tree")
        tree.mkdir(mode=0o755)
        shutil.copy(self.directory / "key.pub", tree / KEYS)
        (tree / NETWORK).write_text(_NETWORK.format(address=f"{made.address}/{SUBNET.prefixlen}", gateway=_GATEWAY))
        for name, source in given.items():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
        size = sum(path.stat().st_size for path in tree.rglob("*"))
        make_file_system(tree, made.seed, f"{(size * 5 // 4 >> 20) + 16}M")
        shutil.rmtree(tree)


def _overlay(base: Path, target: Path) -> None:
    """A disk that has the other's content and takes what is written."""
    done = subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(target)],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"qemu-img: {done.stderr.strip()}")


def remove(name: str) -> None:
    """Remove a bed by its name, whatever is left of it. Raises LeftOver."""
    sweep.kill_all(sweep.members_of_netns([NETNS_ROOT / name]))
    namespaces.delete(name)
    shutil.rmtree(IMAGES.root / name, ignore_errors=True)
    if left := list(leftovers(name)):
        raise LeftOver(f"of the virtual machines {name}: {', '.join(left)}")


def leftovers(name: str) -> Iterator[str]:
    if namespaces.exists(name):
        yield f"network namespace {name}"
    if (IMAGES.root / name).exists():
        yield str(IMAGES.root / name)


def sweep_ended(sort: OwnedNames = NAMES) -> tuple[str, ...]:
    """Remove the beds of ended processes; their names."""
    with sweeping():
        named = {path.name for path in IMAGES.root.glob("*")} | set(namespaces.names())
        ended = sort.ended(sorted(named))
        for name in ended:
            remove(name)
    return ended
