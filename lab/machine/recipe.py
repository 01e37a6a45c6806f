"""What the machines' root file system contains; nothing is done here. The whole recipe is the key of its cache."""

import hashlib
import json
import platform
from typing import Final

FORMAT: Final = 2
"""Part of the key: raise it when the way of building changes what comes out."""

SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
"""What the suite has."""
MIRROR: Final = "http://deb.debian.org/debian"
PACKAGES: Final = (
    # A host that boots, with who logs in and who may.
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
)

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
FILES: Final = {INIT: _INIT_TEXT}
"""Path → text; all are executable."""

EMPTIED: Final = ("/var/cache/apt/archives", "/var/lib/apt/lists", "/var/log", "/usr/share/doc", "/usr/share/man")
"""Directories whose content no test needs."""


def key() -> str:
    """The hash of everything that decides what the file system contains, but for the day's packages."""
    inputs = [FORMAT, platform.machine(), SUITE, PACKAGES, FILES, EMPTIED]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
