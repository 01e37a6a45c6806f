"""A cluster of the first release is upgraded to this checkout and rolled back, under running pods.

One host is master and node, the other one a node. An open connection between their pods goes through a service and the
overlay; each step must leave it working.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from select import select
from subprocess import Popen
from typing import Any

import pytest

from netrig.plugin import eventually
from tests import first_release
from tests.machine.bed import Machine, MachineBed
from tests.machine.bundle import NEWER, of_first_release
from tests.machine.conftest import IN_MEMORY
from tests.machine.hosts import Control, load_image, record, together

pytestmark = pytest.mark.timeout(300)

PODS = "/api/v1/namespaces/default/pods"
ECHO = ["/bin/sh", "-c", "exec nc -ll -p 8080 -e cat"]
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "echo"},
    "spec": {"selector": {"app": "echo"}, "ports": [{"port": 7, "targetPort": 8080}]},
}
BACKUP = "/root/backup.tar"
ANSWER_S = 20.0


def pod(name: str, node: str) -> dict[str, Any]:
    container = {"name": "main", "image": "tomcat", "imagePullPolicy": "IfNotPresent", "command": ECHO}
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


class Cluster(Control):
    """A master that is a node too, another node, a pod on each, and a connection between the pods."""

    def __init__(self, master: Machine, node: Machine) -> None:
        super().__init__(master)
        self.node = node
        self.machines = (master, node)
        self._connection: Popen[bytes] | None = None

    def start(self) -> None:
        """Install, join, run the pods and connect."""
        master, node = self.machines
        together(lambda: self._install(master, "master"), lambda: self._install(node, "agent"))
        words = self.join_words()
        together(lambda: self._join(master, words), lambda: self._join(node, words))
        self.api("/api/v1/namespaces/default/services", body=SERVICE)
        for name, host in (("client", master), ("echo", node)):
            self.api(PODS, body=pod(name, host.name))
        self.wait_ready(f"{PODS}/client", f"{PODS}/echo")
        address = self.api("/api/v1/namespaces/default/services/echo")["spec"]["clusterIP"]
        container = master.output("docker", "ps", "--quiet", "--filter", "label=io.sampan.container=main")
        eventually(lambda: self._connect("docker", "exec", "-i", container, "nc", address, "7"), within_s=30)

    def _install(self, machine: Machine, role: str) -> None:
        machine.run("/first/install", role, timeout_s=120)
        load_image(machine)

    def _join(self, machine: Machine, words: list[str]) -> None:
        if machine is self.master:
            machine.run("/first/install", "agent", "--master", str(machine.address), timeout_s=120)
        machine.run(*words, timeout_s=120)

    def _connect(self, *argv: str) -> bool:
        """Connect and try it. Fails if the rules of the new service do not exist yet."""
        self.close()
        self._connection = self.master.start_process(*argv)
        return self.answers("hello")

    def answers(self, word: str) -> bool:
        """Whether the connection echoes the word."""
        connection = self._connection
        assert connection is not None and connection.stdin is not None and connection.stdout is not None
        try:
            connection.stdin.write(f"{word}\n".encode())
            connection.stdin.flush()
        except BrokenPipeError:
            return False
        readable, _, _ = select([connection.stdout], [], [], ANSWER_S)
        return bool(readable) and connection.stdout.readline() == f"{word}\n".encode()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.kill()
            self._connection.communicate()

    def containers(self) -> dict[str, str]:
        """Start and restarts of each container, by its name."""
        form = "{{.Name}} {{.State.StartedAt}} {{.RestartCount}}"
        containers: dict[str, str] = {}
        for machine in self.machines:
            ids = machine.output("docker", "ps", "--all", "--quiet").split()
            # A container that has just gone makes the command fail; it prints the others all the same.
            lines = machine.run("docker", "inspect", "--format", form, *ids, check=False).stdout.splitlines()
            containers |= {line.split()[0]: f"{machine.name} {line}" for line in lines}
        return containers

    def wait_ready(self, *paths: str) -> None:
        eventually(lambda: all(map(self.ready, paths)), within_s=60)

    def require(self, before: dict[str, str], step: str) -> None:
        """Both nodes are Ready, no container was restarted, the connection is open."""
        self.wait_ready(*(f"/api/v1/nodes/{machine.name}" for machine in self.machines), f"{PODS}/echo")
        assert self.containers() == before, step
        assert self.answers(step), step


def versions(cluster: Cluster) -> list[str]:
    """The installed versions, the master's host first."""
    return [machine.output("sampan", "--version").removeprefix("sampan ") for machine in cluster.machines]


def units(cluster: Cluster) -> list[str]:
    """The release whose unit runs each agent, from the unit's description."""
    words = ("systemctl", "show", "--value", "--property=Description", "sampan-agent")
    return [machine.output(*words).removeprefix("Sampan agent").strip() for machine in cluster.machines]


@pytest.fixture
def cluster(bed: MachineBed, newer: Path, tmp_path: Path) -> Iterator[Cluster]:
    volumes = (f"--volume={of_first_release(tmp_path)}:/first:ro", f"--volume={newer}:/newer:ro")
    master, node = (bed.add(name, *volumes, *IN_MEMORY) for name in ("veteran", "recruit"))
    made = Cluster(master, node)
    try:
        for machine in made.machines:
            machine.wait_running()
        made.start()
        yield made
    finally:
        made.close()
        bed.remove(master)
        bed.remove(node)


def test_a_cluster_of_the_first_release_is_upgraded_and_rolled_back(cluster: Cluster) -> None:
    old, before = first_release.VERSION, cluster.containers()
    assert versions(cluster) == [old, old] and len(before) == 4
    cluster.master.run("sampan", "backup", BACKUP)

    # By the new release's command. The other node's agent still is of the first release.
    cluster.master.run("/newer/install", "upgrade", timeout_s=200)
    assert versions(cluster) == [NEWER, old]
    cluster.require(before, "a new master")
    cluster.api(PODS, body=pod("late", cluster.node.name))
    cluster.wait_ready(f"{PODS}/late")

    # The backup does not have the last pod, so the restore removes it.
    cluster.master.run("systemctl", "stop", "sampan-master")
    cluster.master.run("sampan", "restore", "--force", BACKUP)
    cluster.master.run("systemctl", "start", "sampan-master")
    eventually(lambda: cluster.containers() == before, within_s=60)
    cluster.require(before, "an old backup")

    # By the first release's command, which reads the lock from the new wheel and gets the units from it.
    cluster.node.run("sampan", "upgrade", "--from", "/newer", timeout_s=200)
    assert versions(cluster) == units(cluster) == [NEWER, NEWER]
    cluster.require(before, "new agents")

    together(*(lambda machine=machine: machine.run("sampan", "upgrade", "--rollback", timeout_s=200)
               for machine in cluster.machines))  # fmt: skip
    assert versions(cluster) == [old, old] and units(cluster) == ["", ""]
    assert [record(machine)["release"] for machine in cluster.machines] == [old, old]
    cluster.require(before, "the first release again")
