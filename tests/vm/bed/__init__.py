"""Virtual machines, for tests that need a kernel of their own: other kernels, cgroup v2, a loss of power.

A virtual machine is a Debian host (`image`) that QEMU emulates (`qemu`). It needs no hardware support, but is 5 to 30
times slower. Commands are run by ssh (`ssh`). The machines of a bed share a bridge in a network namespace of the bed's
own (`bed`), and have no route to the Internet.
"""

from tests.machine.bed.host import CommandFailed
from tests.vm.bed.bed import VmBed
from tests.vm.bed.machine import VirtualMachine

__all__ = ["CommandFailed", "VirtualMachine", "VmBed"]
