"""Machines that boot systemd, for tests that need more than a network namespace: installation, units, reboots.

A machine is a container with the root file system of a Debian host (`image`) in an engine of the bed's own (`bed`), and
has a Docker of its own inside. It boots in a second or two, has no route to the Internet, and can lose its power. It
shares the kernel with this machine: tests with other kernels or cgroup versions need a virtual machine.
"""

from tests.machine.bed.bed import MachineBed
from tests.machine.bed.host import CommandFailed, Host
from tests.machine.bed.machine import Machine

__all__ = ["CommandFailed", "Host", "Machine", "MachineBed"]
