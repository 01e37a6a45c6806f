"""What the machines' root file systems contain; nothing is done here. A whole recipe is the key of its cache."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from typing import Final

FORMAT: Final = 3
"""Part of the key: raise it when the way of building changes what comes out."""

DEFAULT_MIRROR: Final = "http://deb.debian.org/debian"
"""Used where the machine's apt sources name no mirror. The key of an image contains this constant, whichever mirror was
used: packages are the same on all of them."""
EMPTIED: Final = ("/var/cache/apt/archives", "/var/lib/apt/lists", "/var/log", "/usr/share/doc", "/usr/share/man")
"""Directories whose content no test needs."""

INIT: Final = "/sbin/machine-init"
_INIT_TEXT: Final = """\
#!/bin/sh
# The first process of a container that shall be a host: Docker gives it a kernel that it may only read.
mount -o remount,rw /proc/sys
for directory in /sys /sys/fs/cgroup /sys/fs/cgroup/*/; do
    # Of this mount alone: the control groups themselves are shared, and busy.
    mount -o remount,bind,rw "$directory"
done
exec /sbin/init
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of machine."""

    name: str
    """A word, for the cache and for messages."""
    suite: str
    """Of Debian."""
    python: str
    """The version that the suite has, as 3.11."""
    packages: tuple[str, ...]
    setup: str = ""
    """A script for sh, run as root in the finished file system."""

    def key(self) -> str:
        """Name and hash of everything that decides what the file system contains, but for the day's packages."""
        inputs = [FORMAT, platform.machine(), DEFAULT_MIRROR, EMPTIED, _INIT_TEXT, asdict(self)]
        return f"{self.name}-{hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]}"

    @property
    def image(self) -> str:
        """What its image is called inside of a bed's engine."""
        return f"sampan/machine:{self.name}"

    @property
    def files(self) -> dict[str, str]:
        """Path → text, all executable: what makes a host of a container."""
        return {INIT: _INIT_TEXT}


_HOST_PACKAGES: Final = (
    # A host that boots, with who logs in and who may.
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    # What Sampan needs of a host.
    "docker.io",
    "docker-registry",
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
)

_VAGRANT_KEY: Final = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1Y"
    "eS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pz"
    "C6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyL"
    "bIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key"
)
"""Public, as its private half is: Vagrant puts another in its place when a machine comes up for the first time."""

BOX_SETUP: Final = f"""\
systemctl --quiet disable docker-registry
useradd --create-home --shell /bin/bash vagrant
mkdir -m 0700 /home/vagrant/.ssh
echo '{_VAGRANT_KEY}' > /home/vagrant/.ssh/authorized_keys
chown -R vagrant: /home/vagrant/.ssh
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant
"""
"""What Vagrant needs of a box: its user, with that key, who may do everything. Only a master's registry serves."""

HOST: Final = Recipe("host", "bookworm", "3.11", _HOST_PACKAGES, BOX_SETUP)
"""What most tests take. As it is, it can also be a box of Vagrant's."""

_MANAGERS: Final = (
    # What may manage a host's network beside us, and another engine.
    "firewalld",
    "ufw",
    "network-manager",
    "podman",
    # debootstrap knows no virtual packages and takes no recommendations: a logind for polkitd, what Podman runs.
    "libpam-systemd",
    "crun",
    "netavark",
)
_UNITS_OFF: Final = (
    "firewalld ufw NetworkManager NetworkManager-wait-online NetworkManager-dispatcher wpa_supplicant "
    "podman podman.socket podman-auto-update podman-auto-update.timer podman-restart"
)
_MANAGERS_OFF: Final = f"""\
for unit in {_UNITS_OFF}; do
    systemctl --quiet disable $unit 2>/dev/null || true
done
"""

CROWDED: Final = Recipe("crowded", "bookworm", "3.11", (*_HOST_PACKAGES, *_MANAGERS), BOX_SETUP + _MANAGERS_OFF)
"""A host with everything that people have beside us; all of it is switched off until a test wants it."""

RECIPES: Final = (HOST, CROWDED)
"""All that this release makes."""
