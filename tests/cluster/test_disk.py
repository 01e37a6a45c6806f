"""The disk of the master or of an agent is full or refuses every write: both report it, survive it, and recover."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from client.errors import NotFound, ServerFailed
from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from lab.faults import disk
from lab.kubectl import Kubectl
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.churn import NAMES_ITSELF, NAMESPACE
from tests.cluster.manifests import pod
from tests.cluster.watcher import ROOT_CA
from tests.hosts import engine_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SMALL_BYTES = {"master": 16 << 20, "node1": 4 << 20}
OUTAGE_S = 10.0
"""Longer than the time until a silent node's pods are evicted."""

REFUSED = "refused"
MAPS = f"{NAMESPACE}/configmaps"


@pytest.fixture(scope="module")
def two_nodes(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """Pods are evicted seven seconds after their node's last heartbeat."""
    with cluster_pool.lend(nodes=2) as made:
        yield made


@pytest.fixture
def api(two_nodes: Cluster) -> Iterator[RestClient]:
    with two_nodes.client() as client:
        yield client
        client.delete(MAPS)


@pytest.fixture
def kubectl(two_nodes: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> Iterator[Kubectl]:
    """With a pod on each node."""
    made = kubectl_for(two_nodes)
    made.create(*(pod(f"on-{node}", container=NAMES_ITSELF, nodeName=node) for node in ("node1", "node2")))
    eventually(lambda: phases(made) == {"on-node1": "Running", "on-node2": "Running"})
    yield made
    made("delete", "pod", "--all", "--timeout=60s")


class Spoilt:
    """One way in which a disk refuses writes."""

    def __init__(self, cluster: Cluster, host: str, how: str) -> None:
        self._cluster, self._host, self._how = cluster, host, how
        patterns = {"full": "full|No space left on device", "refused": "disk I/O error|Operation not permitted"}
        self.pattern = patterns[how]

    def begin(self) -> None:
        do = {"full": disk.fill, "refused": disk.refuse}[self._how]
        do(self._cluster, self._host)

    def end(self) -> None:
        disk.undo(self._cluster, self._host)


@pytest.fixture(params=["refused", "full"])
def spoil(request: pytest.FixtureRequest, two_nodes: Cluster) -> Iterator[Callable[[str], Spoilt]]:
    """`spoil(host)` prepares a fault: a disk that will be filled is made small first."""
    made: list[Spoilt] = []

    def make(host: str) -> Spoilt:
        if request.param == "full":
            faults.stop(two_nodes, host)
            disk.limit(two_nodes, host, SMALL_BYTES[host])
            faults.start(two_nodes, host)
            two_nodes.wait_api()
            two_nodes.wait_nodes()
        made.append(Spoilt(two_nodes, host, request.param))
        return made[0]

    yield make
    for each in made:
        each.end()


def phases(kubectl: Kubectl) -> dict[str, str]:
    return {each["metadata"]["name"]: each["status"]["phase"] for each in kubectl.json("get", "pods")["items"]}


def lives(cluster: Cluster) -> set[tuple[str, str]]:
    """Id and start time of each container of the nodes."""
    result = set()
    for node in ("node1", "node2"):
        with engine_of(cluster, node) as engine:
            for each in engine.containers(all=True):
                result.add((each["Id"], str(engine.inspect_container(each["Id"])["State"]["StartedAt"])))
    return result


def config_map(name: str) -> dict[str, Any]:
    """A config map that is too large for a full disk, even for the free parts of the store's log."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": name * 20_000}}


def test_a_master_without_disk_refuses_writes_and_recovers(
    two_nodes: Cluster, api: RestClient, kubectl: Kubectl, spoil: Callable[[str], Spoilt]
) -> None:
    spoilt = spoil("master")
    process, before = two_nodes.record("master"), lives(two_nodes)
    spoilt.begin()
    kept, error = write_until_refused(api)
    assert (error.code, error.reason) == (503, "ServiceUnavailable"), error
    assert matches(spoilt.pattern, str(error)), error
    with pytest.raises(ServerFailed) as raised:
        api.get_text("/readyz")
    assert raised.value.code == 503
    assert api.get_text("/livez") == "ok"
    require_refusals(api, OUTAGE_S)
    spoilt.end()
    eventually(lambda: api.get_text("/readyz") == "ok")
    after = write(api, "after")
    assert names(api) >= kept | {after} and REFUSED not in names(api)
    assert two_nodes.record("master") == process, "the master was restarted"
    two_nodes.wait_nodes()
    kubectl.create(pod("later", container=NAMES_ITSELF, nodeName="node1"))
    eventually(lambda: phases(kubectl) == {"on-node1": "Running", "on-node2": "Running", "later": "Running"})
    assert before <= lives(two_nodes)
    faults.kill(two_nodes, "master")
    faults.start(two_nodes, "master")
    two_nodes.wait_api()
    assert names(api) >= kept | {after} and REFUSED not in names(api)


def test_an_agent_without_disk_reports_it_and_recovers(
    two_nodes: Cluster, api: RestClient, kubectl: Kubectl, spoil: Callable[[str], Spoilt]
) -> None:
    spoilt = spoil("node1")
    process, before = two_nodes.record("node1"), lives(two_nodes)
    spoilt.begin()
    kubectl.create(pod("new", container=NAMES_ITSELF, nodeName="node1"))
    warnings = eventually(lambda: warnings_of(kubectl, "new"))
    assert matches(spoilt.pattern, warnings), warnings
    condition = eventually(lambda: disk_pressure(kubectl))
    assert matches(spoilt.pattern, condition), condition
    assert condition in two_nodes.log("node1").read_text()
    assert before <= lives(two_nodes)
    assert "on-node1" in reply_of(two_nodes, api, "on-node1")
    # An agent that starts now does the same.
    faults.kill(two_nodes, "node1")
    faults.start(two_nodes, "node1")
    process = two_nodes.record("node1")
    kubectl.create(pod("newer", container=NAMES_ITSELF, nodeName="node1"))
    warnings = eventually(lambda: warnings_of(kubectl, "newer"))
    assert matches(spoilt.pattern, warnings), warnings
    assert before <= lives(two_nodes) and "on-node1" in reply_of(two_nodes, api, "on-node1")
    spoilt.end()
    eventually(lambda: phases(kubectl)["new"] == "Running", within_s=60)
    eventually(lambda: not disk_pressure(kubectl))
    assert two_nodes.record("node1") == process, "the agent was restarted"
    assert before <= lives(two_nodes)
    # The desired state in the agent's memory is on its disk again, for a reboot.
    eventually(lambda: b"new" in (disk.data_directory(two_nodes, "node1") / "desired.pb").read_bytes())


def write(api: RestClient, name: str) -> str:
    api.create(MAPS, config_map(name))
    return name


def write_until_refused(api: RestClient) -> tuple[set[str], ServerFailed]:
    """The names of the writes that still fitted into the store's log, and the error of the first refused one."""
    kept: set[str] = set()
    while len(kept) < 100:
        try:
            kept.add(write(api, f"before-{len(kept)}"))
        except ServerFailed as error:
            return kept, error
    raise AssertionError("the full disk accepted a hundred writes")


def require_refusals(api: RestClient, seconds: float) -> None:
    """For this time writes must be refused, and reads answered."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with pytest.raises(ServerFailed):
            write(api, REFUSED)
        with pytest.raises(NotFound):
            api.get(f"{MAPS}/{REFUSED}")
        time.sleep(0.2)


def names(api: RestClient) -> set[str]:
    return {each["metadata"]["name"] for each in api.get(MAPS)["items"]} - {ROOT_CA}


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def warnings_of(kubectl: Kubectl, name: str) -> str:
    """The messages of a pod's warning events."""
    uid = kubectl("get", "pod", name, "-o", "jsonpath={.metadata.uid}")
    events = kubectl.json("get", "events", "--field-selector", f"involvedObject.uid={uid}")["items"]
    return "\n".join(each["message"] for each in events if each["type"] == "Warning")


def disk_pressure(kubectl: Kubectl) -> str:
    """The message of the node's condition DiskPressure; empty if it is not True."""
    conditions = kubectl.json("get", "node", "node1")["status"]["conditions"]
    return next(
        (each["message"] for each in conditions if (each["type"], each["status"]) == ("DiskPressure", "True")), ""
    )


def reply_of(cluster: Cluster, api: RestClient, name: str) -> str:
    """The pod's reply to a connection from the other node."""
    address = api.get(f"{NAMESPACE}/pods/{name}")["status"]["podIP"]
    with cluster.host("node2").call(lambda: socket.create_connection((address, 8080), timeout=2.0)) as stream:
        stream.sendall(b"?\n")
        return stream.recv(64).decode()
