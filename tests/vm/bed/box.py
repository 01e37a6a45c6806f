"""A box for Vagrant's libvirt provider, made from an image of `tests.vm.bed.image`.

It has no boot loader: its Vagrantfile gives libvirt the kernel and the initial file system in the box.
"""

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from lab.environment import clean_environment
from lab.errors import LabError
from tests.vm.bed.image import DISK, IMAGES, INITRD, KERNEL
from tests.vm.bed.qemu import KERNEL_ARGUMENTS
from tests.vm.bed.recipe import BOX

_DISK: Final = "box.img"
_VAGRANTFILE: Final = f"""\
Vagrant.configure("2") do |config|
  config.vm.provider "libvirt" do |libvirt|
    libvirt.kernel = File.join(__dir__, "{KERNEL}")
    libvirt.initrd = File.join(__dir__, "{INITRD}")
    # libvirt's processor may have five levels of page tables, which are slow to emulate.
    libvirt.cmd_line = "{KERNEL_ARGUMENTS} no5lvl"
    # The disk is needed only as long as the machine runs: flushed data may stay in the host's memory.
    libvirt.disk_driver cache: "unsafe"
  end
end
"""


def make(directory: Path) -> Path:
    """Make a box with Debian 12 and all packages that Sampan needs; the box file. Raises ImageFailed, LabError."""
    image, parts = IMAGES.build(BOX), directory / "box"
    parts.mkdir(parents=True)
    _convert(image / DISK, parts / _DISK)
    gigabytes = (image / DISK).stat().st_size >> 30
    (parts / "metadata.json").write_text(
        json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": gigabytes})
    )
    (parts / "Vagrantfile").write_text(_VAGRANTFILE)
    for name in (KERNEL, INITRD):
        shutil.copy(image / name, parts / name)
    target = directory / "sampan.box"
    with tarfile.open(target, "w") as archive:
        for part in sorted(parts.iterdir()):
            archive.add(part, part.name)
    shutil.rmtree(parts)
    return target


def _convert(disk: Path, target: Path) -> None:
    """Convert the disk to the only format that Vagrant's provider accepts."""
    result = subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(target)],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    if result.returncode != 0:
        raise LabError(f"qemu-img: {result.stderr.strip()}")
