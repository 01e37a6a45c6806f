"""real/…: machines that boot systemd.

Measures how long a cluster of Vagrant takes until it is up, and an installed host until it has joined as a node, until
its agent is back after a restart, and until its pods are back after a reboot.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.figure import Figure
from tests.bench.lab import PODS, pod, ready, until
from tests.machine.bed import Machine, MachineBed
from tests.machine.bundle import bundled, unpacked
from tests.machine.hosts import Control, entries, load_image, together
from tests.machine.vagrant import DockerVagrant

ROUNDS = 3
POD_COUNT = 10
NODE = "node"


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        file = bundled(Path(scratch, "bundle.tar"))
        yield Figure("real", "vagrant_up_s", _vagrant_up_s(file, Path(scratch, "vagrant")), "s", goal=45.0)
        with _hosts(unpacked(file)) as (control, node):
            yield Figure("real", "join_s", median(_join_s(control, node) for _ in range(ROUNDS)), "s", goal=3.0)
            _fill(control)
            restarts = [_agent_restart_s(node) for _ in range(ROUNDS)]
            yield Figure("real", "agent_restart_s", median(restarts), "s", goal=3.0)
            reboots = [_reboot_s(control, node) for _ in range(ROUNDS)]
            yield Figure("real", "reboot_s", median(reboots), "s", goal=15.0)


def _vagrant_up_s(bundle: Path, home: Path) -> float:
    """The time of `vagrant up` with three machines from the built image. It ends when the three nodes are Ready."""
    home.mkdir()
    with MachineBed(default_bridge=True) as bed:
        vagrant = DockerVagrant(home / "checkout/vagrant", home, bed, bundle)
        vagrant.copy_files()
        start = time.perf_counter()
        output = vagrant("up")
        taken_s = time.perf_counter() - start
        assert output.count(" is Ready\n") == 3, output
        vagrant("destroy", "--force")
    return taken_s


@contextmanager
def _hosts(bundle: Path) -> Iterator[tuple[Control, Machine]]:
    """A master, and a host on which an agent is installed and the pods' image is loaded."""
    with MachineBed() as bed:
        master, node = (bed.add(name, f"--volume={bundle}:/bundle:ro") for name in ("chief", NODE))
        together(master.wait_running, node.wait_running)
        together(
            lambda: master.run("/bundle/install", "master", timeout_s=120),
            lambda: node.run("/bundle/install", "agent", timeout_s=120),
            lambda: load_image(node),
        )
        yield Control(master), node


def _join_s(control: Control, node: Machine) -> float:
    """The time of `sampan join`. A node that an earlier round made leaves first."""
    if node.exists("/var/lib/sampan/agent/identity.json"):
        node.run("sampan", "leave", timeout_s=120)
    words = control.join_words()
    start = time.perf_counter()
    node.run(*words, timeout_s=120)
    return time.perf_counter() - start


def _fill(control: Control) -> None:
    for number in range(POD_COUNT):
        control.api(PODS, body=pod(f"web-{number}", NODE))
    until(lambda: len(_ready_containers(control)) == POD_COUNT, period_s=0.2)


def _ready_containers(control: Control) -> frozenset[str]:
    """The containers of Ready pods."""
    pods: list[dict[str, Any]] = control.api(PODS)["items"]
    return frozenset(pod["status"]["containerStatuses"][0]["containerID"] for pod in pods if ready(pod))


def _agent_restart_s(node: Machine) -> float:
    """From the command until the agent logs that the master has acknowledged the statuses of all pods."""
    start = time.time()
    node.run("systemctl", "restart", "sampan-agent")

    def logged_at() -> float:
        message = f"the master has the statuses of {POD_COUNT} pods"
        times = [int(entry["__REALTIME_TIMESTAMP"]) / 1e6 for entry in entries(node, f"MESSAGE={message}")]
        return next((time_ for time_ in times if time_ > start), 0.0)

    return until(logged_at, period_s=0.1) - start


def _reboot_s(control: Control, node: Machine) -> float:
    """From the end of the boot, as systemd reports it, until new containers are Ready in all pods."""
    before = _ready_containers(control)
    node.reboot()
    start = time.perf_counter()

    def back() -> bool:
        now = _ready_containers(control)
        return len(now) == POD_COUNT and not now & before

    until(back, timeout_s=120.0, period_s=0.05)
    return time.perf_counter() - start
