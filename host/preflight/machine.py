"""The host itself: rights, Python, memory, disk, swap, control groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from host.preflight.facts import AGENT, Facts
from host.preflight.finding import Finding, error, warning

PYTHON: Final = (3, 11)
_MIB: Final = 1 << 20
LEAST_MEMORY: Final = 256 * _MIB
GOOD_MEMORY: Final = 900 * _MIB
"""A little below 1 GiB: a machine of 1 GiB reports less."""
LEAST_DISK: Final = 200 * _MIB
GOOD_DISK: Final = 2048 * _MIB
DISK_PRESSURE: Final = 0.10
"""With a smaller part free the node reports DiskPressure, and gets no pods."""


def judge(facts: Facts) -> Iterator[Finding]:
    machine = facts.machine
    if not machine.root:
        yield error(
            "not-root",
            "this is not root: the kernel could not be probed, and nothing can be set up",
            "run the command with sudo",
        )
    if machine.python < PYTHON:
        present, required = (".".join(map(str, version)) for version in (machine.python, PYTHON))
        yield error("python-version", f"Python is {present}", f"install Python {required} or newer")
    if machine.memory_bytes < LEAST_MEMORY:
        yield error(
            "memory", f"{_mib(machine.memory_bytes)} of memory", f"give the machine {_mib(GOOD_MEMORY)} or more"
        )
    elif machine.memory_bytes < GOOD_MEMORY:
        yield warning(
            "memory", f"{_mib(machine.memory_bytes)} of memory are little for pods", "give the machine 1 GiB or more"
        )
    yield from _disks(facts)
    if facts.role == AGENT:
        if machine.swap_bytes:
            yield warning(
                "swap",
                f"{_mib(machine.swap_bytes)} of swap are on: a pod at its memory limit gets slow before it is killed",
                "swapoff -a, and remove the swap lines from /etc/fstab",
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
                f"{directory} has {_mib(free)} of {_mib(total)} free: with less than a tenth the node gets no pods",
                f"make room below {directory}",
            )


def _cgroup(facts: Facts) -> Iterator[Finding]:
    cgroup = facts.cgroup
    if not cgroup.version:
        yield error("cgroup", "no control groups are mounted at /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup")
        return
    missing = sorted({"cpu", "memory"} - cgroup.controllers)
    if missing:
        yield warning(
            "cgroup-controllers",
            f"control groups (v{cgroup.version}) without {', '.join(missing)}: such limits of pods have no effect",
            "boot with cgroup_enable=memory, or enable the controller in /sys/fs/cgroup/cgroup.subtree_control",
        )
    engine = facts.engine
    if engine and cgroup.version == 2 and facts.machine.init == "systemd" and engine.cgroup_driver == "cgroupfs":
        yield warning(
            "cgroup-driver",
            "the engine manages control groups itself (cgroupfs), beside systemd, which owns them on v2",
            'set "exec-opts": ["native.cgroupdriver=systemd"] in /etc/docker/daemon.json and restart the engine',
        )


def _mib(size: int) -> str:
    return f"{size // _MIB} MiB"
