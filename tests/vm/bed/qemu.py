"""QEMU's command line for one machine, and what keeps QEMU from running here.

The processor is emulated: hardware that helps is not asked for, so that a run means the same everywhere. Guarding a
guest that runs nothing but tests against its own processes would cost a third of its speed, and is off.
"""

import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from lab.environment import clean_environment
from tests.vm.bed.image import INITRD, KERNEL

MEMORY_MIB: Final = 1280
PROGRAMS: Final = ("qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen", "mkfs.ext4", "debootstrap")
_TUN: Final = Path("/dev/net/tun")
# `no_timer_check`: a timer that is late because QEMU got no processor is not a broken one, for which a boot ends.
KERNEL_ARGUMENTS: Final = (
    "root=/dev/vda rw console=ttyS0 TERM=dumb quiet mitigations=off no_timer_check net.ifnames=0 panic=-1 "
    "systemd.condition_needs_update=no systemd.condition_first_boot=no"
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one machine is made of. `image` is a directory of `tests.vm.bed.image`, `disk` the overlay on its disk."""

    name: str
    image: Path
    disk: Path
    seed: Path
    tap: str
    address: IPv4Address


def command(made: Hardware, console: Path) -> Sequence[str]:
    """A machine with one processor; what it prints on its serial line is appended to `console`."""
    return (
        "qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none",
        "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "1", "-m", f"{MEMORY_MIB}M",
        "-kernel", str(made.image / KERNEL), "-initrd", str(made.image / INITRD),
        "-append", f"{KERNEL_ARGUMENTS} systemd.hostname={made.name}",
        # The disk is lost with this machine only: what the guest wants flushed may stay in our memory.
        "-drive", f"file={made.disk},format=qcow2,if=virtio,cache=unsafe",
        "-drive", f"file={made.seed},format=raw,if=virtio,readonly=on",
        "-netdev", f"tap,id=wire,ifname={made.tap},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=wire,mac={mac(made.address)}",
        "-device", "virtio-rng-pci",
        "-chardev", f"file,id=console,path={console},append=on", "-serial", "chardev:console",
    )  # fmt: skip


def mac(address: IPv4Address) -> str:
    """QEMU's own prefix, and what tells the machines of a wire apart."""
    return "52:54:00:" + ":".join(f"{octet:02x}" for octet in address.packed[1:])


def unusable() -> str:
    """Why no virtual machine can run here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root: makes namespaces and disks"
    if platform.machine() != "x86_64":
        return f"virtual machines are of x86_64, this machine is of {platform.machine()}"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=clean_environment()["PATH"])]
    if missing:
        return f"needs {', '.join(missing)} (`sampan test --vm` installs what is missing)"
    return "" if _TUN.exists() else f"needs {_TUN} for the machines' wire"
