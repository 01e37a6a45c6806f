"""The test beds themselves: what a killed run left is found by its name and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hull import processes, sweep
from hull.owner import sweeping
from lab.layout import NETNS_ROOT
from tests.doomed import doomed
from tests.vm.bed import bed, libvirt


def test_what_a_killed_run_of_virtual_machines_left_is_swept() -> None:
    # A sleeping process stands in for QEMU, which the bed starts in the same way.
    script = """
from hull import processes
from lab.layout import NETNS_ROOT
from tests.vm.bed import VmBed
made = VmBed().__enter__()
log, netns = made.directory / "log", NETNS_ROOT / made.name
held = processes.start(["sleep", "600"], log=log, env={"PATH": "/bin"}, netns=netns)
print(made.name, held.pid, flush=True)
"""
    with doomed(script) as dead, sweeping():
        dead.kill()
        name, pid = dead.name.split()
        assert len(list(bed.leftovers(name))) == 2
        assert name in bed.sweep_ended()
    assert list(bed.leftovers(name)) == []
    assert not Path(f"/proc/{pid}/ns/net").exists(), "the process in the bed has ended"


def test_what_a_killed_run_of_libvirt_left_is_swept() -> None:
    if reason := libvirt.unusable():
        pytest.skip(reason)
    script = """
from tests.vm.bed.libvirt import LibvirtBed
made = LibvirtBed().__enter__()
made.domains()
print(made.name, flush=True)
"""
    with doomed(script) as dead, sweeping():
        dead.kill()
        (daemon,) = sweep.members_of_netns([NETNS_ROOT / dead.name])
        assert len(list(bed.leftovers(dead.name))) == 2
        assert dead.name in libvirt.sweep_ended()
    assert list(bed.leftovers(dead.name)) == []
    assert not processes.alive(daemon)
