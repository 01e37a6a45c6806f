"""What the virtual machines' root file systems contain; nothing is done here.

What is cached is the same for all machines. A machine of a bed is told its name on the kernel's command line, its
address and who may log in by the disk at SEED, which is made for each run. A box is told all of that by Vagrant.
"""

from typing import Final

from lab.machine.recipe import BOX_SETUP, Recipe

SEED: Final = "/seed"
"""Where a machine mounts what the run gives it, read-only."""
KEYS: Final = "authorized_keys"
NETWORK: Final = "eth0.network"
"""Files there."""

_PACKAGES: Final = (
    # A host that boots, with who logs in.
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    # What Sampan needs of a host.
    "docker.io",
    "iproute2",
    "iptables",
    "python3",
    "python3-venv",
    # What its preflight looks for, and tests look with.
    "ca-certificates",
    "conntrack",
    "curl",
    "iputils-ping",
    "kmod",
    "nftables",
    "procps",
    # What a container does not need: a kernel, and what brings it up. Debian's hosts have AppArmor on.
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "e2fsprogs",
    "apparmor",
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
# There the engine comes without its command line, with which tests look.
DEBIAN13: Final = Recipe("debian13", "trixie", "3.13", (*_PACKAGES, "docker-cli"), _SETUP)
BOX: Final = Recipe(
    "box", "bookworm", "3.11", (*_PACKAGES, "docker-registry"), _INITRD_SETUP + BOX_SETUP + _DHCP_SETUP + _QUIET_SETUP
)
"""What `tests.vm.bed.box` makes a box of Vagrant's of."""
RECIPES: Final = (DEBIAN12, DEBIAN13, BOX)
"""All that this release makes."""
