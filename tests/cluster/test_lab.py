"""A lab without a cluster: hosts and their links, engines, images from the registry, and complete removal."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.errors import LabError, NotFound
from lab.images.recipes import IMAGES
from lab.lab import Lab, delete, leftovers
from lab.network import underlay
from lab.plugin.clusters import NAMES
from netrig.plugin import eventually
from netstack.network import open_network


@pytest.fixture
def new_lab() -> Iterator[Callable[[], Lab]]:
    """Makes labs, which are removed at the end of the test."""
    made: list[Lab] = []

    def make() -> Lab:
        made.append(Lab(NAMES.new()))
        return made[-1]

    yield make
    for lab in made:
        delete(lab.name)
        assert list(leftovers(lab.name)) == []


def on(lab: Lab, host: str, *command: str) -> subprocess.CompletedProcess[str]:
    netns = lab.layout.host(host).netns
    return subprocess.run(["nsenter", f"--net={netns}", "--", *command], capture_output=True, text=True, timeout=60)


def docker(lab: Lab, host: str, *command: str) -> str:
    socket = lab.layout.host(host).engine_socket
    done = subprocess.run(["docker", "-H", f"unix://{socket}", *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def reaches(lab: Lab, host: str, address: str) -> bool:
    """Whether a TCP connection attempt gets any answer, even a refusal."""
    script = (
        "import socket, sys\n"
        "try: socket.create_connection((sys.argv[1], 9), 1)\n"
        "except ConnectionRefusedError: sys.exit(0)\n"
        "except OSError: sys.exit(1)\n"
    )
    return on(lab, host, "/usr/bin/env", "python3", "-c", script, address).returncode == 0


def test_hosts_reach_each_other_and_nothing_else_until_they_are_cut(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.create(nodes=2)
    state = lab.state
    master, node2 = str(state.host("master").address), str(state.host("node2").address)
    assert reaches(lab, "node1", master)
    assert reaches(lab, "node1", node2)
    assert "default" not in on(lab, "node1", "ip", "route").stdout
    faults.cut(Cluster(lab), "node1")
    assert not reaches(lab, "node1", master)
    assert not reaches(lab, "node2", str(state.host("node1").address))
    assert reaches(lab, "node2", master)
    lab.create()  # a second run does not heal the cut
    assert not reaches(lab, "node1", master)
    faults.heal(Cluster(lab), "node1")
    assert reaches(lab, "node1", master)


def test_the_bridge_keeps_its_mac_when_hosts_go(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.create(nodes=2)

    def bridge_mac() -> str:
        with open_network(lab.layout.underlay_name) as network:
            return next(link.mac for link in network.links() if link.name == underlay.BRIDGE)

    before = bridge_mac()
    for host in lab.state.hosts:
        underlay.remove_host(lab.layout, host.name)
        assert bridge_mac() == before
    underlay.create_hosts(lab.layout, lab.state.subnet, lab.state.hosts)
    assert bridge_mac() == before


def test_two_labs_do_not_see_each_other(new_lab: Callable[[], Lab]) -> None:
    one, two = new_lab(), new_lab()
    one.create(nodes=1)
    two.create(nodes=1)
    assert not one.state.subnet.overlaps(two.state.subnet)
    assert not reaches(one, "node1", str(two.state.host("node1").address))


def test_engines_pull_from_the_registry_and_are_separate(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.create(nodes=2)
    lab.start_registry()
    lab.start_engines()
    lab.push_images()
    for image in IMAGES:
        docker(lab, "node1", "pull", "-q", image.name if image.tag == "latest" else image.reference)
    docker(lab, "node1", "run", "-d", "--network=none", "--name=pause", "tomcat", "/bin/sleep", "1000")
    web = docker(lab, "node1", "run", "-d", "--network=container:pause", "tomcat")
    redis = docker(lab, "node1", "run", "-d", "--network=container:pause", "kubeguide/redis-master")
    assert docker(lab, "node2", "ps", "-q") == ""
    socket = lab.layout.host("node1").engine_socket
    command = ["docker", "-H", f"unix://{socket}", "exec", web, "wget", "-qO-", "http://127.0.0.1:8080/"]
    answer = eventually(
        lambda: subprocess.run(command, capture_output=True, text=True, timeout=60).stdout, message="the server answers"
    )
    assert "client: 127.0.0.1" in answer
    assert docker(lab, "node1", "exec", redis, "redis-cli", "ping") == "PONG"
    assert len(lab.pids("node1")) > len(lab.running("node1"))
    docker(lab, "node1", "stop", "-t", "10", "pause")
    assert docker(lab, "node1", "inspect", "-f", "{{.State.ExitCode}}", "pause") in ("0", "143")


def test_an_engine_comes_back_with_its_images(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.create(nodes=1)
    lab.start_registry()
    lab.start_engines()
    lab.push_images()
    cluster = Cluster(lab)
    docker(lab, "node1", "run", "-d", "--network=none", "--name=kept", "tomcat")
    pid = docker(lab, "node1", "inspect", "-f", "{{.State.Pid}}", "kept")
    faults.kill(cluster, "node1", "engine")
    assert Path(f"/proc/{pid}").exists()
    assert lab.running("node1") == {}
    with pytest.raises(NotFound, match="engine of node1 does not run"):
        faults.stop(cluster, "node1", "engine")
    faults.start(cluster, "node1", "engine")
    assert "tomcat" in docker(lab, "node1", "images")
    faults.stop(cluster, "node1", "engine")
    assert lab.pids("node1") == []


def test_a_lab_without_a_state_file_is_removed_by_its_name(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.create(nodes=1)
    lab.start_engines()
    lab.layout.state_file.unlink()
    assert list(leftovers(lab.name))
    delete(lab.name)
    assert list(leftovers(lab.name)) == []
    delete(lab.name)  # a second time


def test_missing_parts_are_reported(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    with pytest.raises(NotFound, match="there is no lab"):
        lab.start_engines()
    lab.create(nodes=1)
    with pytest.raises(NotFound, match="no host"):
        faults.cut(Cluster(lab), "node9")
    with pytest.raises(LabError, match="has no engine"):
        faults.stop(Cluster(lab), "master", "engine")
    with pytest.raises(NotFound, match="agent of node1 does not run"):
        faults.kill(Cluster(lab), "node1")


def test_daemons_that_were_started_but_not_recorded_are_replaced(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.create(nodes=1)
    before = lab.state
    lab.start_registry()
    lab.start_engines()
    lab.file.save(before)  # as if the command had been killed just before it saved the state
    lab.start_registry()
    lab.start_engines()
    assert set(lab.pids("node1")) == set(lab.running("node1").values())
