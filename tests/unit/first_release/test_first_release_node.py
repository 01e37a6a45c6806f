"""An agent of today on the state directory, the containers and the kernel's state of a node of the first release.

The node ran pods with each kind of volume, services and peers. Nothing of that may be removed, restarted or renamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.first_release import RECORDED_AT, document, lines, read, unpack
from tests.unit.agent.fakes import (
    FakeBinds,
    FakeIssuer,
    FakeMemoryFiles,
    FakeNetwork,
    FakeProber,
    FakeReporter,
    HandClock,
    on_the_executor,
    settle,
)
from tests.unit.first_release import product as p

CLUSTER: str = document("master/objects.json.xz")["keys"]["/meta/cluster-id"]
CONTAINERS: list[dict[str, Any]] = document("node/containers.json.xz")
LINKS: dict[str, list[dict[str, Any]]] = document("node/links.json.xz")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The node's directories `agent` and `rootfs`."""
    return unpack("node/state.tar.xz", tmp_path)


def received() -> p.DesiredState:
    """The desired state after everything that the master sent to node1, in its order."""
    state = p.DesiredState()
    for line in lines():
        if line.caller != "node1":
            continue
        if line.kind == "DesiredRequest":
            state.interrupted()
        if line.kind == "DesiredMessage":
            message = p.session_pb2.DesiredMessage.FromString(line.raw)
            if message.HasField("cut"):
                state.receive(message.cut, member=True)
    return state


def kept(host: Path) -> Any:
    """The desired state on its disk."""
    return p.disk.read(host / "agent", CLUSTER, "node1")


def uid_of(name: str) -> str:
    items = document("master/objects.json.xz")["objects"]["pods"]
    return str(next(item["metadata"]["uid"] for item in items if item["metadata"]["name"] == name))


# --- files -----------------------------------------------------------------------------------------------------------


def test_the_identity_is_read(host: Path) -> None:
    identity = p.identity_files.load(host / "agent")
    assert identity is not None
    assert (identity.node_name, identity.cluster_id) == ("node1", CLUSTER)
    assert identity.not_before < RECORDED_AT.timestamp() < identity.not_after
    (stored,) = [key for key in document("master/objects.json.xz")["keys"] if key == "/identity/node/node1"]
    (own,) = p.contract.fingerprints(identity.certificate)
    assert own in document("master/objects.json.xz")["keys"][stored]


def test_the_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_bytes(read("node/agent.toml"))
    config = p.load_agent_config(tmp_path / "agent.toml")
    assert (config.node_name, config.labels) == ("node1", {"kubernetes.io/hostname": "node1"})


def test_the_desired_state_on_disk_is_what_the_master_had_sent(host: Path) -> None:
    cut, state = kept(host), received()
    assert cut is not None
    restored = p.DesiredState()
    restored.restore(cut, secrets_known=False)
    assert restored.revision == state.revision
    assert restored.dump(secrets=False) == state.dump(secrets=False)
    pods = restored.for_pods().pods
    assert {pod.name for pod in pods.values()} >= {"volumes", "web-on-node1", "host-network", "crashing"}
    assert len(next(pod for pod in pods.values() if pod.name == "volumes").volumes) == 7


# --- the network -----------------------------------------------------------------------------------------------------


def network_of(host: Path) -> tuple[Any, Any, Any]:
    """Its settings and state today, and an open network over a kernel in memory."""
    state = received()
    own = state.network_settings(node_name="node1", state_dir=host / "agent")
    assert own is not None
    return own, state.for_network(), p.NodeNetwork(own, p.FakeKernel())


def records(host: Path) -> dict[str, str]:
    """What the network keeps on disk."""
    found = (path for path in (host / "agent/network").rglob("*") if path.is_file())
    return {str(path.relative_to(host)): path.read_text() for path in found}


def test_claimed_addresses_stay_and_freed_ones_are_given_out_last(host: Path) -> None:
    before = records(host)
    own, _, network = network_of(host)
    assert {str(address) for address in network.pods().values()} == {
        path.name for path in (host / "agent/network/addresses/claims").iterdir()
    }
    assert network.pods().keys() >= {uid_of(name) for name in ("volumes", "web-on-node1", "crashing")}
    assert network.retain(received().for_pods().pods) == ()
    assert p.NodeNetwork(own, p.FakeKernel()).pods() == network.pods()
    assert records(host) == before, "neither a claim, nor an order of freed ones, nor a link's record is lost"


def test_peers_and_services_are_those_of_then(host: Path) -> None:
    _, state, _ = network_of(host)
    assert {peer.name for peer in state.peers} >= {"node2"}
    assert {port.name for port in state.services} == {
        "default/kubernetes:https",
        "default/outside",
        "default/web",
        "shop/several:dns",
        "shop/several:dns-tcp",
    }
    assert next(port for port in state.services if port.name == "default/web").node_port == 31080


def test_links_keep_their_names(host: Path) -> None:
    """A link with another name would be created again, and its pod would lose its connections."""
    own, _, network = network_of(host)
    names = {link["ifname"] for link in LINKS["link"]}
    assert {p.host_link_name(uid) for uid in network.pods()} == {name for name in names if name.startswith("sp")}
    assert f"{own.owner}.vxlan" in names


class RecordedRules:
    """Takes the place of iptables: has the first release's rules, and records the commands that it gets."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def save(self) -> str:
        return read("node/rules.txt").decode()

    def restore(self, text: str) -> None:
        self.written.append(text)


def test_rules_are_taken_over_chain_by_chain(host: Path) -> None:
    """Chains of another name would stay for ever; a rule that differs is replaced in the transaction of its table."""
    own, state, _ = network_of(host)
    prefix = p.chain_names(own.owner).prefix
    declared = [line[1:].split()[0] for line in RecordedRules().save().splitlines() if line.startswith(":")]
    theirs = {"INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"}
    assert all(chain.startswith(prefix) for chain in declared if chain not in theirs)
    rules = RecordedRules()
    p.RuleWriter(rules, prefix).apply(p.ruleset(own, state.services))
    flushed = [line for text in rules.written for line in text.splitlines() if line.startswith(("-X", "-F"))]
    assert flushed == [], "no chain of a service that is there goes, not for a moment"


# --- pods ------------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    """The node's engine, network and disk under a manager of today."""

    engine: p.FakeRuntime
    network: FakeNetwork
    reporter: FakeReporter
    clock: HandClock
    manager: p.PodManager

    def changes(self) -> list[tuple[str, str]]:
        """What the engine was asked to do, but for the container that crashes again and again."""
        crashing = uid_of("crashing")
        reading = {"list", "events", "inspect", "image_id", "version"}
        return [call for call in self.engine.calls if call[0] not in reading and crashing not in call[1]]


@asynccontextmanager
async def managed(host: Path) -> AsyncIterator[Node]:
    """Just after the agent has been replaced."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    clock = HandClock(RECORDED_AT.timestamp())
    engine, network, reporter = p.FakeRuntime(clock), FakeNetwork(), FakeReporter()
    records = [p.record_from_inspect(each) for each in CONTAINERS]
    engine.records = {each.id: each for each in records}
    engine.present = {each.image: each.image_id for each in records}
    config = p.PodsConfig(
        cluster_id=CLUSTER, node_name="node1", state_dir=host / "agent", resolv_conf=host / "resolv.conf"
    )
    (host / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    volumes = p.Volumes(
        state_dir=host / "agent",
        host_path_root=host / "rootfs",
        memory=FakeMemoryFiles(),
        binds=FakeBinds(),
        calls=p.VolumeCalls(start=on_the_executor),
    )
    manager = p.PodManager(
        engine,
        network,
        volumes,
        reporter,
        clock,
        config,
        prober=FakeProber(),
        processes=engine.exec,
        tokens=FakeIssuer(),
    )
    task = asyncio.create_task(manager.run())
    try:
        yield Node(engine, network, reporter, clock, manager)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def volume_tree(host: Path) -> dict[str, str]:
    """All that containers see of their volumes."""
    return {
        str(path.relative_to(host)): str(path.readlink()) if path.is_symlink() else path.read_bytes().hex()
        for path in sorted((host / "agent/pods").glob("*/volumes/**/*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("source", ["disk", "master"])
async def test_no_container_is_touched_and_nothing_is_removed(host: Path, source: str) -> None:
    """By the state on disk, while the master is away; and by the master's own, after which what is not wanted goes."""
    before = volume_tree(host)
    async with managed(host) as node:
        state = received()
        if source == "disk":
            state = p.DesiredState()
            state.restore(kept(host), secrets_known=False)
        await node.manager.apply(state.for_pods(), complete=source == "master")
        await settle()
        for _ in range(5):
            await node.clock.advance(1.0)
        assert node.changes() == []
        assert not [call for call in node.network.calls if call.startswith(("detach", "release"))
                    and uid_of("crashing") not in call and not _ended(call)]  # fmt: skip
        running = {each["Name"] for each in CONTAINERS if each["State"]["Status"] == "running"}
        assert {f"/{each.name}" for each in node.engine.records.values() if each.running} >= running
        phases = {status.name: status.phase for status in node.manager.statuses()}
        assert phases["volumes"] == phases["web-on-node1"] == phases["host-network"] == "Running"
        assert (phases["done"], phases["failed"]) == ("Succeeded", "Failed")
        assert node.reporter.gone == []
    assert volume_tree(host) == before


def _ended(call: str) -> bool:
    """Whether the call is about a pod that has ended, whose sandbox and address were removed earlier."""
    return call.split()[-1] in {uid_of("done"), uid_of("failed")}


async def test_a_pod_that_is_deleted_later_goes_whole(host: Path) -> None:
    async with managed(host) as node:
        state = received()
        await node.manager.apply(state.for_pods(), complete=True)
        await settle()
        cut = p.session_pb2.Cut(base_revision=state.revision, revision=state.revision + 1, last=True)
        cut.removed_pods.append(uid_of("volumes"))
        state.receive(cut, member=True)
        await node.manager.apply(state.for_pods(), complete=True)
        for _ in range(20):
            await node.clock.advance(1.0)
        assert not node.engine.named(uid_of("volumes"))
        assert not (host / "agent/pods" / uid_of("volumes")).exists()
        assert node.engine.named(uid_of("web-on-node1"))
