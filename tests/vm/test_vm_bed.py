"""The test beds themselves: what a killed run leaves is found by its name, and goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hull import processes, sweep
from lab.layout import NETNS_ROOT
from tests.vm.bed import bed, libvirt

ROOT = Path(__file__).resolve().parents[2]


def test_what_a_killed_run_of_virtual_machines_left_is_swept() -> None:
    script = (
        "import time\nfrom hull import processes\nfrom lab.layout import NETNS_ROOT\nfrom tests.vm.bed import VmBed\n"
        "with VmBed() as made:\n"
        # In place of QEMU, which the bed starts in the same way.
        "    log, netns = made.directory / 'log', NETNS_ROOT / made.name\n"
        "    held = processes.start(['sleep', '600'], log=log, env={'PATH': '/bin'}, netns=netns)\n"
        "    print(made.name, held.pid, flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as owner:
        assert owner.stdout
        name, pid = owner.stdout.readline().split()
        owner.send_signal(signal.SIGKILL)
    assert len(list(bed.leftovers(name))) == 2
    assert name in bed.sweep_ended()
    assert list(bed.leftovers(name)) == []
    assert not Path(f"/proc/{pid}/ns/net").exists(), "what ran in it has ended"


def test_what_a_killed_run_of_libvirt_left_is_swept() -> None:
    if reason := libvirt.unusable():
        pytest.skip(reason)
    script = (
        "import time\nfrom tests.vm.bed.libvirt import LibvirtBed\nwith LibvirtBed() as made:\n"
        "    print(made.name, *made.domains(), flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as owner:
        assert owner.stdout
        (name,) = owner.stdout.readline().split()
        owner.send_signal(signal.SIGKILL)
    (daemon,) = sweep.members_of_netns([NETNS_ROOT / name])
    assert len(list(bed.leftovers(name))) == 2
    assert name in bed.sweep_ended(libvirt.NAMES)
    assert list(bed.leftovers(name)) == []
    assert not processes.alive(daemon)
