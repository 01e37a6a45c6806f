"""QEMU's command line for one machine, and the checks whether QEMU can run here.

The processor is emulated, even on machines with hardware support, so that runs are comparable. CPU vulnerability
mitigations are off: a guest that runs only tests does not need them, and they would cost a third of its speed.
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
# `no_timer_check`: otherwise a boot fails if a timer is late because QEMU had to wait for a processor.
KERNEL_ARGUMENTS: Final = (
    "root=/dev/vda rw console=ttyS0 TERM=dumb quiet mitigations=off no_timer_check net.ifnames=0 panic=-1 "
    "systemd.condition_needs_update=no systemd.condition_first_boot=no"
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """The parts of one machine. `image`: a directory of `tests.vm.bed.image`; `disk`: the overlay on its disk."""

    name: str
    image: Path
    disk: Path
    seed: Path
    tap: str
    address: IPv4Address


def command(hardware: Hardware, console: Path) -> Sequence[str]:
    """The command for a machine with one processor, which appends its serial console to the file `console`."""
    return (
        "qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none",
        "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "1", "-m", f"{MEMORY_MIB}M",
        "-kernel", str(hardware.image / KERNEL), "-initrd", str(hardware.image / INITRD),
        "-append", f"{KERNEL_ARGUMENTS} systemd.hostname={hardware.name}",
        # The disk is needed only as long as this machine runs: flushed data may stay in our memory.
        "-drive", f"file={hardware.disk},format=qcow2,if=virtio,cache=unsafe",
        "-drive", f"file={hardware.seed},format=raw,if=virtio,readonly=on",
        "-netdev", f"tap,id=wire,ifname={hardware.tap},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=wire,mac={mac(hardware.address)}",
        "-device", "virtio-rng-pci",
        "-chardev", f"file,id=console,path={console},append=on", "-serial", "chardev:console",
    )  # fmt: skip


def mac(address: IPv4Address) -> str:
    """QEMU's prefix and the last three octets of the address, so that it is unique on the bridge."""
    return "52:54:00:" + ":".join(f"{octet:02x}" for octet in address.packed[1:])


def unusable() -> str:
    """Why this machine cannot run virtual machines; empty if it can."""
    if os.geteuid() != 0:
        return "needs root: makes namespaces and disks"
    if platform.machine() != "x86_64":
        return f"needs an x86_64 machine; this one is {platform.machine()}"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=clean_environment()["PATH"])]
    if missing:
        return f"needs {', '.join(missing)} (`sampan test --vm` installs what is missing)"
    return "" if _TUN.exists() else f"needs {_TUN} for the machines' network"
