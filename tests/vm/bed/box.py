"""A box for Vagrant's libvirt provider: an image of `tests.vm.bed.image` in the form in which Vagrant takes it.

It has no boot loader: its own Vagrantfile tells libvirt the kernel and the initial file system beside it.
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
    # libvirt's processor may have five levels of page tables, each of which costs an emulated one time.
    libvirt.cmd_line = "{KERNEL_ARGUMENTS} no5lvl"
    # The disk is lost with the machine only: what the guest wants flushed may stay in the host's memory.
    libvirt.disk_driver cache: "unsafe"
  end
end
"""


def make(directory: Path) -> Path:
    """A box with Debian 12 and all that Sampan needs of a host; where Vagrant adds it from. Raises ImageFailed."""
    made, parts = IMAGES.build(BOX), directory / "box"
    parts.mkdir(parents=True)
    _convert(made / DISK, parts / _DISK)
    gigabytes = (made / DISK).stat().st_size >> 30
    (parts / "metadata.json").write_text(
        json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": gigabytes})
    )
    (parts / "Vagrantfile").write_text(_VAGRANTFILE)
    for name in (KERNEL, INITRD):
        shutil.copy(made / name, parts / name)
    target = directory / "sampan.box"
    with tarfile.open(target, "w") as archive:
        for part in sorted(parts.iterdir()):
            archive.add(part, part.name)
    shutil.rmtree(parts)
    return target


def _convert(disk: Path, target: Path) -> None:
    """The same disk in the one format that Vagrant's provider takes."""
    done = subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(target)],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"qemu-img: {done.stderr.strip()}")
