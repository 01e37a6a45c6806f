"""Nodes of a cluster without master and agents: hosts of a topology, each with the NodeNetwork under test.

    outside (172.30.0.100)
       |
    [switch] --- node a (172.30.0.11, pods 10.244.1.0/24)
       |    |
    node b  node c

Pods are hosts of the same topology. netstack connects them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from itertools import count
from pathlib import Path

from netrig import topology
from netrig.plugin.fixtures import MakeProber, MakeResponder
from netrig.probe import Connection, Flow, Outcome, Probe, Result, ask, ask_udp
from netrig.topology import Topology
from netstack.desired import HostPort, NetworkState, NodeSettings, Peer, ServicePort
from netstack.kernel import HostKernel
from netstack.node import NodeNetwork

CLUSTER_CIDR = IPv4Network("10.244.0.0/16")
SERVICE_CIDR = IPv4Network("10.96.0.0/16")
UNDERLAY_MTU = 1500
POD_PORT = 8080
TIMEOUT_S = 3.0
SILENT_S = 0.3
"""Long enough for an answer on one machine, for tests that expect none."""


Prepare = Callable[[Topology, topology.Node], None]


@dataclass
class Pod:
    uid: str
    where: str
    address: IPv4Address
    node: Node


@dataclass
class Node:
    """One node: its host, and the NodeNetwork under test. `restart` replaces the network."""

    name: str
    host: topology.Node
    settings: NodeSettings
    variant: str | None
    network: NodeNetwork

    @property
    def where(self) -> str:
        return self.host.where

    @property
    def address(self) -> IPv4Address:
        return self.settings.node_address

    @property
    def vtep(self) -> IPv4Address:
        return self.settings.pod_cidr.network_address

    def restart(self) -> None:
        """Replace the network, as a new agent process does."""
        self.network.close()
        self.network = NodeNetwork(self.settings, HostKernel(self.where, variant=self.variant))

    def run(self, *command: str) -> str:
        """Run a command in the node's namespace and return its output."""
        done = self.host.run(command, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def save(self) -> str:
        return self.run(f"iptables-{self.variant}-save")

    def rules(self) -> list[str]:
        """The rules without the lines that have the time and the counters."""
        return [line for line in self.save().splitlines() if line.startswith("-A")]


@dataclass
class Cluster:
    """Some nodes, a host outside of them, and the probes and responders of the tests."""

    net: Topology
    outside_host: topology.Node
    nodes: dict[str, Node]
    stack: ExitStack
    probe: MakeProber
    responder: MakeResponder
    state: NetworkState = field(default_factory=NetworkState)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def outside(self) -> str:
        return self.outside_host.where

    def apply(self, *services: ServicePort) -> None:
        """Give all nodes these services, and to each node the others as peers."""
        self.apply_state(NetworkState(services=services))

    def apply_state(self, state: NetworkState) -> None:
        """The same, for a state without peers."""
        self.state = state
        for node in self.nodes.values():
            node.network.apply(self.state_of(node))

    def state_of(self, node: Node) -> NetworkState:
        peers = tuple(
            Peer(other.name, other.address, other.settings.pod_cidr)
            for other in self.nodes.values()
            if other is not node
        )
        return replace(self.state, peers=peers)

    def pod(self, node: Node, *ports: HostPort) -> Pod:
        """A pod that answers on port 8080 with its uid, and its host ports."""
        uid = f"pod-{next(self.numbers)}"
        where = self.namespace(uid)
        address = node.network.attach_namespace(uid, where, ports)
        self.responder(where, POD_PORT, name=uid)
        return Pod(uid, where, address, node)

    def namespace(self, name: str) -> str:
        """An empty namespace."""
        made = self.net.host(name)
        self.net.start()
        return made.where

    def ask(self, where: str, address: IPv4Address | str, port: int) -> Result:
        """Connect over TCP. The result has the server that answered (`server`) and the source that it saw (`seen`)."""
        return self._expect(where, Outcome.REPLY, ask(str(address), port, timeout_s=TIMEOUT_S))

    def ask_udp(self, where: str, address: IPv4Address | str, port: int) -> Result:
        return self._expect(where, Outcome.REPLY, ask_udp(str(address), port, timeout_s=TIMEOUT_S))

    def refused(self, where: str, address: IPv4Address | str, port: int) -> Result:
        """Connect, and expect a reset or an ICMP error at once, because nothing listens."""
        result = self._expect(where, Outcome.REFUSED, ask(str(address), port, timeout_s=TIMEOUT_S))
        assert result.detail == "Connection refused", result
        return result

    def unreachable(self, where: str, address: IPv4Address | str, port: int) -> None:
        """Connect, and expect no answer of a server, for any reason."""
        result = self.probe(where).one(ask(str(address), port, timeout_s=SILENT_S))
        assert result.outcome is not Outcome.REPLY, result

    def connect(self, where: str, address: IPv4Address | str, port: int) -> Connection:
        return self.probe(where).connect(str(address), port, timeout_s=TIMEOUT_S)

    def flow(self, where: str, address: IPv4Address | str, port: int) -> Flow:
        return self.probe(where).flow(str(address), port, timeout_s=TIMEOUT_S)

    def _expect(self, where: str, outcome: Outcome, probe: Probe) -> Result:
        (result,) = self.probe(where).expect(outcome, probe)
        return result


@contextmanager
def cluster(
    net: Topology,
    probe: MakeProber,
    responder: MakeResponder,
    *,
    directory: Path,
    names: str,
    variant: str | None,
    declare: Prepare = lambda net, host: None,
    spoil: Prepare = lambda net, host: None,
) -> Iterator[Cluster]:
    """Nodes named by the letters of `names`, with their overlay. The topology outlives them.

    `declare` runs before a host is linked to the others, `spoil` after the topology has started and before netstack
    does.
    """
    switch, outside = net.switch("switch"), net.host("outside")
    net.link(outside, switch, address="172.30.0.100/24", mtu=UNDERLAY_MTU)
    hosts = [net.host(letter) for letter in names]
    for host in hosts:
        declare(net, host)
    for number, host in enumerate(hosts, start=1):
        net.link(host, switch, address=f"172.30.0.{10 + number}/24", mtu=UNDERLAY_MTU)
    net.start()
    for host in hosts:
        spoil(net, host)
    with ExitStack() as stack:
        made = Cluster(net, outside, {}, stack, probe, responder)
        for number, host in enumerate(hosts, start=1):
            settings = NodeSettings(
                node_name=host.name,
                node_address=IPv4Address(f"172.30.0.{10 + number}"),
                pod_cidr=IPv4Network(f"10.244.{number}.0/24"),
                cluster_cidr=CLUSTER_CIDR,
                service_cidr=SERVICE_CIDR,
                state_dir=directory / host.name,
            )
            network = NodeNetwork(settings, HostKernel(host.where, variant=variant))
            node = made.nodes[host.name] = Node(host.name, host, settings, variant, network)
            stack.callback(_close, node)
        made.apply()
        yield made


def _close(node: Node) -> None:
    """Close the node's present network, which `restart` may have replaced."""
    node.network.close()
