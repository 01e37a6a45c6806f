"""Recipes: the content of the virtual machines' root file systems, as data.

A cached image is the same for all machines. A machine of a bed gets its name from the kernel's command line, and its
address and authorized keys from the disk at SEED, which is made for each run. A box gets all of them from Vagrant.

The scripts below are part of the images' keys, including their comments: any change makes cached images invalid.
"""

from typing import Final

from lab.machine.recipe import BOX_SETUP, HOST_PACKAGES, Recipe

SEED: Final = "/seed"
"""Where a machine mounts the disk with the files of the run, read-only."""
KEYS: Final = "authorized_keys"
NETWORK: Final = "eth0.network"
"""The names of files there."""

_REGISTRY: Final = "docker-registry"
_PACKAGES: Final = (
    *(name for name in HOST_PACKAGES if name != _REGISTRY),
    # Not needed by a container: a kernel and its boot. Debian's hosts have AppArmor enabled.
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "e2fsprogs",
    "apparmor",
    # Only these machines have kernels with NFS.
    "nfs-common",
    "nfs-kernel-server",
)

_INITRD_SETUP: Final = """\
# A small initial file system: what finds the disk, and no more.
printf 'MODULES=list\\nFSTYPE=ext4\\n' > /etc/initramfs-tools/conf.d/vm
printf 'virtio_pci\\nvirtio_blk\\next4\\n' >> /etc/initramfs-tools/modules
update-initramfs -u
"""

_SEED_SETUP: Final = f"""\
mkdir {SEED}
echo '/dev/vdb {SEED} ext4 ro 0 0' > /etc/fstab
# (An address on the kernel's command line would be set by the initial file system, which waits for a link then.)
ln -s {SEED}/{NETWORK} /etc/systemd/network/{NETWORK}
mkdir /etc/systemd/system/systemd-networkd.service.d
printf '[Unit]\\nRequiresMountsFor={SEED}\\n' > /etc/systemd/system/systemd-networkd.service.d/seed.conf
systemctl --quiet enable systemd-networkd
printf 'AuthorizedKeysFile {SEED}/{KEYS}\\nUseDNS no\\nUsePAM no\\n' > /etc/ssh/sshd_config.d/vm.conf
"""

_QUIET_SETUP: Final = """\
# What no test needs, and takes seconds here, or a minute: AppArmor itself is on, and Docker brings its own profile.
find /etc/apparmor.d -maxdepth 1 -type f -delete
systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \\
    e2scrub_reap.service fstrim.timer getty@tty1.service serial-getty@ttyS0.service systemd-binfmt.service \\
    dev-hugepages.mount dev-mqueue.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \\
    sys-fs-fuse-connections.mount modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service \\
    modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service
# NFS is for the test that starts it.
systemctl --quiet disable nfs-server.service nfs-client.target nfs-blkmap.service rpcbind.service rpcbind.socket
"""

_SETUP: Final = _INITRD_SETUP + _SEED_SETUP + _QUIET_SETUP

_DHCP_SETUP: Final = """\
# The first interface asks for its address, as a box's does; Vagrant gives the others theirs.
printf '[Match]\\nName=eth0\\n\\n[Network]\\nDHCP=ipv4\\n' > /etc/systemd/network/eth0.network
systemctl --quiet enable systemd-networkd
# Nobody answers there: a name would be asked for in vain, for seconds.
: > /etc/resolv.conf
printf 'UseDNS no\\n' > /etc/ssh/sshd_config.d/vm.conf
"""

DEBIAN12: Final = Recipe("debian12", "bookworm", "3.11", _PACKAGES, _SETUP)
# In Debian 13, the `docker` command, which tests use, is a package of its own.
DEBIAN13: Final = Recipe("debian13", "trixie", "3.13", (*_PACKAGES, "docker-cli"), _SETUP)
BOX: Final = Recipe(
    "box", "bookworm", "3.11", (*_PACKAGES, _REGISTRY), _INITRD_SETUP + BOX_SETUP + _DHCP_SETUP + _QUIET_SETUP
)
"""The recipe of the Vagrant box that `tests.vm.bed.box` makes."""
RECIPES: Final = (DEBIAN12, DEBIAN13, BOX)
"""All recipes of this release."""
