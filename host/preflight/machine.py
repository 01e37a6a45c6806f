"""The host as such: rights, Python, memory, disk, swap, control groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from host.preflight.facts import AGENT, Facts
from host.preflight.finding import Finding, error, warning

PYTHON: Final = (3, 11)
_MIB: Final = 1 << 20
LEAST_MEMORY: Final = 256 * _MIB
GOOD_MEMORY: Final = 900 * _MIB
"""A little below 1 GiB: a machine of that size shows less."""
LEAST_DISK: Final = 200 * _MIB
GOOD_DISK: Final = 2048 * _MIB
DISK_PRESSURE: Final = 0.10
"""Below this part free the node says DiskPressure, and no pod is placed."""


def judge(facts: Facts) -> Iterator[Finding]:
    machine = facts.machine
    if not machine.root:
        yield error(
            "not-root",
            "this is not root: the kernel could not be tried, and nothing could be set up",
            "run the command with sudo",
        )
    if machine.python < PYTHON:
        have, need = (".".join(map(str, each)) for each in (machine.python, PYTHON))
        yield error("python-version", f"Python is {have}", f"install Python {need} or newer")
    if machine.memory_bytes < LEAST_MEMORY:
        yield error(
            "memory", f"{_mib(machine.memory_bytes)} of memory", f"give the machine {_mib(GOOD_MEMORY)} or more"
        )
    elif machine.memory_bytes < GOOD_MEMORY:
        yield warning(
            "memory", f"{_mib(machine.memory_bytes)} of memory leave little for pods", "give the machine 1 GiB or more"
        )
    yield from _disks(facts)
    if facts.role == AGENT:
        if machine.swap_bytes:
            yield warning(
                "swap",
                f"{_mib(machine.swap_bytes)} of swap are on: a pod at its memory limit gets slow before it is ended",
                "swapoff -a, and take the swap lines out of /etc/fstab",
            )
        yield from _cgroup(facts)


def _disks(facts: Facts) -> Iterator[Finding]:
    for directory, (free, total) in facts.machine.disks.items():
        if free < LEAST_DISK:
            yield error(
                "disk-space",
                f"{directory} has {_mib(free)} free",
                f"make room below {directory}: {_mib(GOOD_DISK)} or more",
            )
        elif free < GOOD_DISK or free < total * DISK_PRESSURE:
            yield warning(
                "disk-space",
                f"{directory} has {_mib(free)} of {_mib(total)} free: below a tenth no pod is placed here",
                f"make room below {directory}",
            )


def _cgroup(facts: Facts) -> Iterator[Finding]:
    found = facts.cgroup
    if not found.version:
        yield error("cgroup", "no control groups are mounted at /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup")
        return
    missing = sorted({"cpu", "memory"} - found.controllers)
    if missing:
        yield warning(
            "cgroup-controllers",
            f"control groups (v{found.version}) without {', '.join(missing)}: such limits of pods do not bind",
            "boot with cgroup_enable=memory, or enable the controller in /sys/fs/cgroup/cgroup.subtree_control",
        )
    engine = facts.engine
    if engine and found.version == 2 and facts.machine.init == "systemd" and engine.cgroup_driver == "cgroupfs":
        yield warning(
            "cgroup-driver",
            "the engine writes control groups by itself (cgroupfs) beside systemd, which owns them on v2",
            'set "exec-opts": ["native.cgroupdriver=systemd"] in /etc/docker/daemon.json and restart the engine',
        )


def _mib(size: int) -> str:
    return f"{size // _MIB} MiB"
