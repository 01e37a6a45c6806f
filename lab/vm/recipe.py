"""What the virtual machines' root file systems contain; nothing is done here.

A machine is told its name and its address on the kernel's command line, and who may log in by the disk at SEED, which
is made for each run: so that what is cached is the same for all.
"""

from typing import Final

from lab.machine.recipe import HOST, Recipe

SEED: Final = "/seed"
"""Where a machine mounts what the run gives it, read-only."""
KEYS: Final = "authorized_keys"
"""A file there."""

_PACKAGES: Final = (
    *HOST.packages,
    # What a container does not need: a kernel, and what brings it up. Debian's hosts have AppArmor on.
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "e2fsprogs",
    "apparmor",
)

_SETUP: Final = f"""\
# A small initial file system: what finds the disk, and no more.
printf 'MODULES=list\\nFSTYPE=ext4\\n' > /etc/initramfs-tools/conf.d/vm
printf 'virtio_pci\\nvirtio_blk\\next4\\n' >> /etc/initramfs-tools/modules
update-initramfs -u
mkdir {SEED}
echo '/dev/vdb {SEED} ext4 ro 0 0' > /etc/fstab
# The kernel's command line has the address; its generator writes networkd's configuration.
systemctl --quiet enable systemd-networkd systemd-network-generator
printf 'AuthorizedKeysFile {SEED}/{KEYS}\\nUseDNS no\\nUsePAM no\\n' > /etc/ssh/sshd_config.d/vm.conf
# What no test needs, and takes seconds here.
systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \\
    e2scrub_reap.service fstrim.timer
"""

DEBIAN12: Final = Recipe("debian12", "bookworm", "3.11", _PACKAGES, _SETUP)
DEBIAN13: Final = Recipe("debian13", "trixie", "3.13", _PACKAGES, _SETUP)
RECIPES: Final = (DEBIAN12, DEBIAN13)
"""All that this release makes."""
