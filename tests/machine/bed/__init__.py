"""Machines that boot systemd, for what a network namespace cannot show: installing, units, watchdogs, reboots.

A machine is a container with the root file system of a Debian host (`image`), in an engine of its own (`bed`), with a
Docker of its own inside. It boots in a second or two, has no way out to the Internet, and can be switched off hard.
What it shares with this machine is the kernel: other kernels and cgroup versions need a virtual machine.
"""

from tests.machine.bed.bed import MachineBed
from tests.machine.bed.host import CommandFailed, Host
from tests.machine.bed.machine import Machine

__all__ = ["CommandFailed", "Host", "Machine", "MachineBed"]
