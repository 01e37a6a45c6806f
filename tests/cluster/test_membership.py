"""Check, join, leave and reset of a host, by the real command on a real cluster: once, again, and interrupted."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.environment import clean_environment
from lab.hosts import clock
from lab.kubectl import Kubectl
from lab.layout import HostPaths
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.manifests import pod, replication_controller, shell
from tests.hosts import engine_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

NODE = "node2"
LINGERS = shell("trap 'sleep 4; exit' TERM; sleep 1000 & wait")
"""Takes 4 s to end."""


@pytest.fixture(scope="module")
def two_nodes(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster whose second node leaves and joins."""
    with cluster_pool.lend(nodes=2) as made:
        yield made


@pytest.fixture
def cluster(two_nodes: Cluster) -> Iterator[Cluster]:
    """The cluster, with both nodes Ready before and after the test."""
    yield two_nodes
    faults.start(two_nodes, NODE, "agent")
    two_nodes.wait_nodes()


@pytest.fixture
def kubectl(cluster: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> Iterator[Kubectl]:
    made = kubectl_for(cluster)
    yield made
    made("delete", "rc,pod", "--all", "--timeout=60s")


def command(cluster: Cluster, *arguments: str) -> tuple[list[str], dict[str, str]]:
    host = cluster.lab.layout.host(NODE)
    # A shell that runs the tests in the background starts them with SIGINT ignored.
    interruptible = ["env", "--default-signal=INT"]
    line = [*interruptible, "nsenter", f"--net={host.netns}", sys.executable, "-P", "-m", "cli", *arguments]
    return line, clean_environment(XTABLES_LOCKFILE=str(host.xtables_lock))


def sampan(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    line, environment = command(cluster, *arguments)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120)


def done(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.returncode == 0, finished.stderr
    return finished.stderr


def config(cluster: Cluster) -> Path:
    return cluster.lab.layout.host(NODE).etc / "agent.toml"


def ticket(cluster: Cluster) -> dict[str, str]:
    token, ca_hash = (config(cluster).parent / "join-token").read_text().split()
    return {"--token": token, "--ca-hash": ca_hash}


def join_words(cluster: Cluster, path: Path, **change: str) -> list[str]:
    """The join command of a host without a configuration; configuration and state are in `path`."""
    master = change.pop("master", f"{cluster.lab.state.master.address}:6443")
    socket = cluster.lab.engine(NODE).paths.engine_socket
    options = {
        "--config": str(path / "agent.toml"),
        "--state-dir": str(path / "state"),
        "--engine-socket": str(socket),
        "--node-name": "newcomer",
        **ticket(cluster),
        **{f"--{name.replace('_', '-')}": value for name, value in change.items()},
    }
    return ["join", master, *(word for option in options.items() for word in option)]


def flat(options: dict[str, str]) -> list[str]:
    return [word for option in options.items() for word in option]


def traces(cluster: Cluster) -> dict[str, Any]:
    """Everything that a node leaves on the host; empty for a clean host."""
    links = json.loads(cluster.host(NODE).run(["ip", "-j", "link"]).stdout)
    rules = [cluster.host(NODE).run([f"iptables-{variant}-save"]).stdout for variant in ("legacy", "nft")]
    with engine_of(cluster, NODE) as engine:
        parts = {
            "containers": [each["Names"] for each in engine.containers(all=True)],
            "links": [link["ifname"] for link in links if link["ifname"].startswith(("sp", "sampan."))],
            "rules": [line for text in rules for line in text.splitlines() if "SAMPAN" in line],
            "state": sorted(path.name for path in cluster.lab.layout.host(NODE).agent_state.glob("*")),
            "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if str(state(cluster)) in line],
        }
    return {name: value for name, value in parts.items() if value}


def state(cluster: Cluster) -> Path:
    return cluster.lab.layout.host(NODE).agent_state


def nodes(kubectl: Kubectl) -> set[str]:
    return {each["metadata"]["name"] for each in kubectl.json("get", "nodes")["items"]}


def test_a_node_leaves_and_joins_again(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(replication_controller("web", 4, container=shell("exec sleep 1000")))
    kubectl.create(pod("bare", container=shell("exec sleep 1000"), nodeName=NODE))
    eventually(lambda: len(ready_on(kubectl, "node1", NODE)) == 5)
    assert ready_on(kubectl, NODE) >= {"bare"}
    messages = done(sampan(cluster, "leave", "--config", str(config(cluster))))
    assert "not replaced elsewhere: default/bare" in messages
    assert f"node {NODE} has left the cluster" in messages
    assert nodes(kubectl) == {"node1"}
    assert traces(cluster) == {}
    assert config(cluster).exists(), "the administrator's file must stay"
    assert cluster.record(NODE) is None, "its agent must have ended"
    eventually(lambda: len(ready_on(kubectl, "node1")) == 4)

    assert "is not a node" in done(sampan(cluster, "leave", "--config", str(config(cluster))))
    assert traces(cluster) == {}
    assert "is clean" in done(sampan(cluster, "reset", "--config", str(config(cluster))))
    assert traces(cluster) == {}

    # It can join again at once under the same name, because leaving released its identity.
    words = [
        "join",
        f"{cluster.lab.state.master.address}:6443",
        "--config",
        str(config(cluster)),
        *flat(ticket(cluster)),
    ]
    assert "start the agent" in done(sampan(cluster, *words))
    faults.start(cluster, NODE)
    # Until the new process has locked its state, the command takes the agent for not running.
    again = eventually(lambda: "start the agent" not in (output := done(sampan(cluster, *words))) and output)
    assert "already" in again
    assert again.endswith(f"node {NODE} is Ready\n")


def ready_on(kubectl: Kubectl, *where: str) -> set[str]:
    pods = kubectl.json("get", "pods")["items"]
    return {
        each["metadata"]["name"]
        for each in pods
        if each["spec"].get("nodeName") in where
        and not each["metadata"].get("deletionTimestamp")
        and any(c["type"] == "Ready" and c["status"] == "True" for c in each["status"].get("conditions", []))
    }


def test_an_interrupted_leave_is_continued_by_the_next_one(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("slow", container=LINGERS, nodeName=NODE, terminationGracePeriodSeconds=30))
    eventually(lambda: ready_on(kubectl, NODE) == {"slow"})
    argv, environment = command(cluster, "leave", "--config", str(config(cluster)))
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        while "waiting until these pods have ended: default/slow" not in (line := first.stderr.readline()):
            assert line, "the command ended"
        first.send_signal(signal.SIGINT)
        assert first.wait() == 130
    listed = kubectl("get", "nodes", NODE, "--no-headers")
    assert "SchedulingDisabled" in listed
    assert cluster.record(NODE) is not None
    assert "has left the cluster" in done(sampan(cluster, "leave", "--config", str(config(cluster))))
    assert nodes(kubectl) == {"node1"}
    assert traces(cluster) == {}


@pytest.mark.parametrize(
    ("change", "code", "finding"),
    [
        pytest.param({"token": "abcdef.fedcba9876543210"}, 1, "join-token", id="wrong token"),
        pytest.param({"token": "nonsense"}, 1, "join-token", id="malformed token"),
        pytest.param({"ca_hash": "sha256:" + "0" * 64}, 4, "master-trust", id="another cluster's hash"),
        pytest.param({"master": "127.0.0.1:1"}, 4, "master-answer", id="master away"),
        pytest.param({"node_name": "node1"}, 1, "node-name-taken", id="name taken"),
        pytest.param({"engine_socket": "/nonexistent.sock"}, 1, "engine-socket", id="no Docker"),
        pytest.param({"node_address": "203.0.113.9"}, 1, "node-address", id="foreign address"),
    ],
)
def test_a_refused_join_leaves_nothing_behind(
    cluster: Cluster, tmp_path: Path, change: dict[str, str], code: int, finding: str
) -> None:
    refused = sampan(cluster, *join_words(cluster, tmp_path, **change))
    assert refused.returncode == code, refused.stderr
    assert f"ERROR   {finding}: " in refused.stderr
    last = refused.stderr.splitlines()[-1]
    assert "nothing was changed" in last
    assert finding in last
    assert list(tmp_path.iterdir()) == []


def test_a_host_joins_without_a_configuration(cluster: Cluster, tmp_path: Path) -> None:
    ignoring = ["--ignore-preflight-errors", "port-in-use,node-address-taken,cluster-cidr"]
    assert "joined as node newcomer" in done(sampan(cluster, *join_words(cluster, tmp_path), *ignoring))
    assert 'node_name = "newcomer"' in (tmp_path / "agent.toml").read_text()
    other = sampan(cluster, *join_words(cluster, tmp_path, ca_hash="sha256:" + "0" * 64), *ignoring)
    assert other.returncode == 1
    assert "of another cluster" in other.stderr
    assert "`sampan leave`" in other.stderr
    assert "already" in done(sampan(cluster, *join_words(cluster, tmp_path), *ignoring))


def test_check_as_json_has_no_errors_for_a_member(cluster: Cluster) -> None:
    checked = sampan(cluster, "check", "--config", str(config(cluster)), "-o", "json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [each for each in json.loads(checked.stdout) if each["severity"] == "error"] == []


DAY_S = 86400.0


@pytest.mark.parametrize(
    ("ahead_s", "id_", "seen"),
    [
        pytest.param(60.0, "clock", "s ahead of the master's", id="a minute ahead"),
        pytest.param(-60.0, "clock", "s behind the master's", id="a minute behind"),
        pytest.param(400 * DAY_S, "certificate-time", "its own ended at", id="after the certificate's end"),
        pytest.param(-400 * DAY_S, "certificate-time", "begins at", id="before the certificate's start"),
    ],
)
def test_a_wrong_clock_is_found(cluster: Cluster, tmp_path: Path, ahead_s: float, id_: str, seen: str) -> None:
    own = HostPaths(tmp_path, cluster.lab.layout.host(NODE).netns)
    own.etc.mkdir()
    clock.put(own, ahead_s)
    line, environment = command(cluster, "check", "--config", str(config(cluster)), "-o", "json")
    done = subprocess.run(line, env=environment | clock.environment(own), capture_output=True, text=True, timeout=60)
    assert seen in next(each["seen"] for each in json.loads(done.stdout) if each["id"] == id_)


def test_an_address_that_another_node_has_is_found(cluster: Cluster) -> None:
    address = f"{cluster.lab.state.master.address}:6443"
    options = [*flat(ticket(cluster)), "--node-name", "newcomer", "-o", "json"]
    findings = json.loads(sampan(cluster, "check", "--master", address, *options).stdout)
    assert f"node {NODE} has the address" in {each["id"]: each["seen"] for each in findings}["node-address-taken"]


def test_a_join_on_a_full_disk_fails_and_leaves_no_files(cluster: Cluster, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        refused = sampan(cluster, *join_words(cluster, disk))
        assert refused.returncode == 1
        assert "ERROR   disk-space: " in refused.stderr
        ignored = sampan(cluster, *join_words(cluster, disk), "--ignore-preflight-errors", "all")
        assert ignored.returncode == 1
        assert "No space left on device" in ignored.stderr.splitlines()[-1]
        assert [path.name for path in disk.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_reset_needs_neither_agent_nor_master_nor_a_sound_state(
    two_nodes: Cluster, kubectl_for: Callable[[Cluster], Kubectl], tmp_path: Path
) -> None:
    """Must be the last test, because another machine has the node's name in the end."""
    cluster, kubectl = two_nodes, kubectl_for(two_nodes)
    kubectl.create(pod("left", container=shell("exec sleep 1000"), nodeName=NODE))
    eventually(lambda: ready_on(kubectl, NODE) == {"left"})
    refused = sampan(cluster, "reset", "--config", str(config(cluster)))
    assert refused.returncode == 5
    assert "that systemd did not start runs on" in refused.stderr
    faults.kill(cluster, NODE)
    faults.cut(cluster, NODE)
    try:
        away = sampan(cluster, "leave", "--config", str(config(cluster)))
        assert away.returncode == 4
        assert "`sampan reset` cleans this host without the master" in away.stderr
        faults.stop(cluster, NODE, "engine")
        halfway = sampan(cluster, "reset", "--config", str(config(cluster)))
        assert halfway.returncode == 1
        assert "could not be removed: containers: " in halfway.stderr
        assert (state(cluster) / "identity.json").exists(), "the identity must be removed last"
        (state(cluster) / "identity.json").write_text("{")
        faults.start(cluster, NODE, "engine")
        assert "is clean" in done(sampan(cluster, "reset", "--config", str(config(cluster))))
        assert traces(cluster) == {}
    finally:
        faults.heal(cluster, NODE)
    kubectl("delete", "node", NODE)
    # The name is free although the master does not know that the host is clean: deleting the node releases the name.
    # Eventually, because the host has just been connected again.
    words = join_words(cluster, tmp_path / "other", node_name=NODE)
    assert eventually(lambda: "joined as node" in sampan(cluster, *words).stderr)
