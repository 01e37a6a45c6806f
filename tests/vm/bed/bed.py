"""A bed of virtual machines: a network namespace with a bridge, isolated from all other networks.

Makes and completely removes it. Its names contain the process that owns the bed, so that the bed of a killed process
can be removed later.
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
"""The same for all beds, as they are isolated from each other."""
_GATEWAY: Final = SUBNET[1]
"""The bed's own address on the bridge: the machines' default gateway, which forwards nothing."""
_FIRST: Final = 10
_BRIDGE: Final = "machines"
NAMES: Final = OwnedNames("sampan-vms")
"""The names of beds."""

_NETWORK: Final = "[Match]\nName=eth0\n\n[Network]\nAddress={address}\nGateway={gateway}\n"
_MACHINE_BYTES: Final = 2 << 30


class VmBed:
    """Virtual machines on one bridge. A context manager: everything is removed at the end of its block."""

    def __init__(self) -> None:
        self.name = NAMES.new()
        self.directory = IMAGES.root / self.name
        """The directory with everything that belongs to the bed."""
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
        """The name of the network namespace from which the machines are reached."""
        return self.name

    @property
    def machines(self) -> Sequence[VirtualMachine]:
        return tuple(self._machines)

    def add(self, name: str, recipe: Recipe, given: Mapping[str, Path]) -> VirtualMachine:
        """Add a machine and switch it on. `given`: name below /seed → file or directory to be copied there."""
        require_space(IMAGES.root, _MACHINE_BYTES, "a virtual machine")
        number = len(self._machines)
        hardware = Hardware(
            name=name,
            image=IMAGES.build(recipe),
            disk=self.directory / f"{name}.qcow2",
            seed=self.directory / f"{name}.seed",
            tap=f"tap{number}",
            address=SUBNET[_FIRST + number],
        )
        _overlay(hardware.image / DISK, hardware.disk)
        self._make_seed(hardware, given)
        ssh = Ssh(name, hardware.address, NETNS_ROOT / self.name, self.directory / "key", self.directory)
        machine = VirtualMachine(hardware, ssh, bridge=_BRIDGE)
        self._machines.append(machine)
        machine.start()
        return machine

    def _make_seed(self, hardware: Hardware, given: Mapping[str, Path]) -> None:
        """Make the machine's second disk."""
        tree = hardware.seed.with_suffix(".tree")
        tree.mkdir(mode=0o755)
        shutil.copy(self.directory / "key.pub", tree / KEYS)
        (tree / NETWORK).write_text(_NETWORK.format(address=f"{hardware.address}/{SUBNET.prefixlen}", gateway=_GATEWAY))
        for name, source in given.items():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
        size = sum(path.stat().st_size for path in tree.rglob("*"))
        make_file_system(tree, hardware.seed, f"{(size * 5 // 4 >> 20) + 16}M")
        shutil.rmtree(tree)


def _overlay(base: Path, target: Path) -> None:
    """Make a disk with the content of another one; writes go to the new disk only."""
    result = subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(target)],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    if result.returncode != 0:
        raise LabError(f"qemu-img: {result.stderr.strip()}")


def remove(name: str) -> None:
    """Remove a bed by its name, whatever is left of it. Raises LeftOver."""
    sweep.kill_all(sweep.members_of_netns([NETNS_ROOT / name]))
    namespaces.delete(name)
    shutil.rmtree(IMAGES.root / name, ignore_errors=True)
    if left := list(leftovers(name)):
        raise LeftOver(f"left of the virtual machines {name}: {', '.join(left)}")


def leftovers(name: str) -> Iterator[str]:
    """The parts of a bed that exist, for people."""
    if namespaces.exists(name):
        yield f"network namespace {name}"
    if (IMAGES.root / name).exists():
        yield str(IMAGES.root / name)


def sweep_ended(sort: OwnedNames = NAMES) -> tuple[str, ...]:
    """Remove the beds of ended processes; the names of these beds."""
    with sweeping():
        names = {path.name for path in IMAGES.root.glob("*")} | set(namespaces.names())
        ended = sort.ended(sorted(names))
        for name in ended:
            remove(name)
    return ended
