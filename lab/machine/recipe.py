"""Recipes: the content of machines' root file systems, as data. The key of an image is a hash of its whole recipe."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from typing import Final

FORMAT: Final = 3
"""Part of the key; to be raised when a change of the build changes the images."""

DEFAULT_MIRROR: Final = "http://deb.debian.org/debian"
"""Used where the machine's apt sources name no mirror. The key of an image contains this constant, whichever mirror was
used: packages are the same on all of them."""
EMPTIED: Final = ("/var/cache/apt/archives", "/var/lib/apt/lists", "/var/log", "/usr/share/doc", "/usr/share/man")
"""Directories that are emptied, as no test needs their content."""

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
    """One word, used in the cache and in messages."""
    suite: str
    """The release of Debian, such as bookworm."""
    python: str
    """The version of Python in that release, such as 3.11."""
    packages: tuple[str, ...]
    setup: str = ""
    """A script for sh that runs as root in the finished file system."""

    def key(self) -> str:
        """The name and a hash of everything that determines the file system, but for the packages' versions."""
        inputs = [FORMAT, platform.machine(), DEFAULT_MIRROR, EMPTIED, _INIT_TEXT, asdict(self)]
        return f"{self.name}-{hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]}"

    @property
    def image(self) -> str:
        """The name of the image in the engine of a bed."""
        return f"sampan/machine:{self.name}"

    @property
    def files(self) -> dict[str, str]:
        """Path → text of the executable files that let a container boot as a host."""
        return {INIT: _INIT_TEXT}


HOST_PACKAGES: Final = (
    # Boot, log-in and administration.
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    # Needed by Sampan.
    "docker.io",
    "docker-registry",
    "iproute2",
    "iptables",
    "python3",
    "python3-venv",
    # Checked by the preflight, or used by tests.
    "ca-certificates",
    "conntrack",
    "curl",
    "iputils-ping",
    "kmod",
    "nftables",
    "procps",
)
"""Also the packages of virtual machines, in this order: it is part of the images' keys."""

_VAGRANT_KEY: Final = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1Y"
    "eS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pz"
    "C6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyL"
    "bIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key"
)
"""Its private half is public too. Vagrant replaces the key when a machine comes up for the first time."""

BOX_SETUP: Final = f"""\
systemctl --quiet disable docker-registry
useradd --create-home --shell /bin/bash vagrant
mkdir -m 0700 /home/vagrant/.ssh
echo '{_VAGRANT_KEY}' > /home/vagrant/.ssh/authorized_keys
chown -R vagrant: /home/vagrant/.ssh
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant
"""
"""The set-up that Vagrant needs in a box: its user, with that key and all rights. The registry is off, except on a
master."""

HOST: Final = Recipe("host", "bookworm", "3.11", HOST_PACKAGES, BOX_SETUP)
"""The machine of most tests. It can also be used as a Vagrant box."""

_MANAGERS: Final = (
    # Other managers of a host's network, and another engine.
    "firewalld",
    "ufw",
    "network-manager",
    "podman",
    # debootstrap ignores virtual packages and recommendations: a logind for polkitd, and the tools that Podman runs.
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

CROWDED: Final = Recipe("crowded", "bookworm", "3.11", (*HOST_PACKAGES, *_MANAGERS), BOX_SETUP + _MANAGERS_OFF)
"""A host with other software that manages networks and containers, all of it disabled until a test enables it."""

RECIPES: Final = (HOST, CROWDED)
"""All recipes of this release."""
