"""Virtual machines, for what a machine that is a container cannot show: another kernel, cgroup v2, a loss of power.

A virtual machine is a Debian host (`image`) that QEMU runs without hardware support (`qemu`), so it needs nothing of
the machine but time: everything in it is 5 to 30 times slower. It is spoken to by ssh (`ssh`), stands on a wire in a
network namespace of its bed's own (`bed`), and has no way out to the Internet.
"""

from tests.machine.bed.host import CommandFailed
from tests.vm.bed.bed import VmBed
from tests.vm.bed.machine import VirtualMachine

__all__ = ["CommandFailed", "VirtualMachine", "VmBed"]
