"""The test bed itself: machines are hosts, keep their disks, and are removed completely."""

from __future__ import annotations

from pathlib import Path

import pytest

from hull.owner import sweeping
from tests.doomed import doomed
from tests.machine.bed import CommandFailed, Machine, MachineBed
from tests.machine.bed.bed import leftovers, sweep_ended
from tests.machine.conftest import ON_DISK, MakeMachines

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)


def test_machines_are_hosts_of_their_own(machines: MakeMachines) -> None:
    first, second = machines(2)
    assert first.output("cat", "/etc/machine-id") != second.output("cat", "/etc/machine-id")
    first.run("ping", "-c", "1", "-W", "5", second.name)
    assert first.output("systemctl", "is-system-running") == "running"
    first.run("sh", "-c", "docker info | grep -q 'Storage Driver: overlay2'")
    # There is no route to the Internet.
    assert first.run("ping", "-c", "1", "-W", "1", "192.0.2.1", check=False).returncode != 0
    with pytest.raises(CommandFailed, match="no-such-file"):
        first.run("cat", "/no-such-file")


_SURROUNDINGS = """
cat /proc/self/cgroup
readlink /proc/self/ns/*
grep -E '^(Umask|Cap...|NoNewPrivs|Seccomp):' /proc/self/status
cat /proc/self/limits
env
id
"""


def test_a_command_runs_as_the_engine_would_run_it(machine: Machine) -> None:
    by_the_engine = machine.docker.must("exec", machine.name, "sh", "-c", _SURROUNDINGS)
    assert machine.output("sh", "-c", _SURROUNDINGS) == by_the_engine
    assert machine.run("sh", "-c", "kill -9 $$", check=False).returncode == 137
    machine.stop()
    with pytest.raises(CommandFailed, match="is not running"):
        machine.run("true")


def test_a_disk_outlives_a_reboot_and_a_loss_of_power(machines: MakeMachines) -> None:
    (machine,) = machines(1, *ON_DISK)
    machine.write("/root/kept", "on disk")
    machine.write("/tmp/lost", "in memory")
    address = machine.output("ip", "-4", "-o", "address", "show", "eth0").split()[3]
    machine.reboot()
    assert machine.output("cat", "/root/kept") == "on disk" and not machine.exists("/tmp/lost")
    machine.cut_power()
    assert not machine.is_on
    machine.start()
    assert machine.output("cat", "/root/kept") == "on disk"
    assert machine.output("ip", "-4", "-o", "address", "show", "eth0").split()[3] == address


def test_leftovers_of_a_killed_run_are_swept(bed: MachineBed) -> None:
    script = """
from tests.machine.bed import MachineBed
made = MachineBed().__enter__()
made.boot("forgotten")
print(made.name, flush=True)
"""
    with doomed(script) as dead, sweeping():
        dead.kill()
        assert len(list(leftovers(dead.name))) >= 3
        assert dead.name in sweep_ended()
    assert list(leftovers(dead.name)) == []
    assert bed.name not in sweep_ended(), "our own bed is in use"
