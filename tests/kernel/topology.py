"""Throw-away nodes: namespaces joined by a bridge in a namespace of its own, pods as plain namespaces.

    outside (172.30.0.100)
       |
[bridge namespace] --- node a (172.30.0.11, pods 10.244.1.0/24)
       |        |
    node b     node c
"""

from __future__ import annotations

import itertools
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from netstack import namespaces
from netstack.changes import AddBridge, AddVeth, SetAddress, SetLink
from netstack.desired import NetworkState, NodeSettings, Peer, ServicePort
from netstack.kernel import HostKernel
from netstack.network import open_network
from netstack.node import NodeNetwork
from netstack.state import Address
from tests.kernel.probes import serving

CLUSTER_CIDR = IPv4Network("10.244.0.0/16")
SERVICE_CIDR = IPv4Network("10.96.0.0/16")
UNDERLAY_MTU = 1500
# Begins the names of all namespaces of this test run.
RUN = f"kt{os.getpid():x}"


@dataclass
class Pod:
    uid: str
    where: str
    address: IPv4Address
    node: Node


@dataclass
class Node:
    """One node: its namespace, and the NodeNetwork under test, which `restart` replaces."""

    name: str
    where: str
    settings: NodeSettings
    variant: str
    network: NodeNetwork

    @property
    def address(self) -> IPv4Address:
        return self.settings.node_address

    @property
    def vtep(self) -> IPv4Address:
        return self.settings.pod_cidr.network_address

    def restart(self) -> None:
        """What a new agent process does."""
        self.network.close()
        self.network = NodeNetwork(self.settings, HostKernel(self.where, variant=self.variant))

    def run(self, *command: str) -> str:
        """A command in the node's namespace."""
        done = subprocess.run(
            ["nsenter", f"--net={namespaces.path_of(self.where)}", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def save(self) -> str:
        return self.run(f"iptables-{self.variant}-save")


@dataclass
class Cluster:
    """Some nodes and what is outside of them."""

    tag: str
    outside: str
    nodes: dict[str, Node]
    stack: ExitStack
    state: NetworkState = field(default_factory=NetworkState)
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def apply(self, *services: ServicePort) -> None:
        """Give all nodes these services, and each the others as peers."""
        self.state = NetworkState(services=services)
        for node in self.nodes.values():
            node.network.apply(self.state_of(node))

    def state_of(self, node: Node) -> NetworkState:
        peers = tuple(
            Peer(other.name, other.address, other.settings.pod_cidr)
            for other in self.nodes.values()
            if other is not node
        )
        return NetworkState(peers, self.state.services)

    def pod(self, node: Node) -> Pod:
        """A pod that answers on port 8080 with its uid."""
        uid = f"{self.tag}-pod-{next(self.counter)}"
        namespaces.create(uid)
        self.stack.callback(namespaces.delete, uid)
        address = node.network.attach_namespace(uid, uid)
        self.stack.enter_context(serving(uid, uid, 8080))
        return Pod(uid, uid, address, node)


@contextmanager
def cluster(directory: Path, names: str, variant: str) -> Iterator[Cluster]:
    """Nodes named by the letters of `names`, their overlay up; everything is gone afterwards."""
    tag = f"{RUN}-{uuid.uuid4().hex[:5]}"
    with ExitStack() as stack:
        bridge = f"{tag}-net"
        _namespace(stack, bridge)
        with open_network(bridge) as network:
            network.change([AddBridge("br0")])
        outside = f"{tag}-out"
        _plug(stack, bridge, outside, IPv4Interface("172.30.0.100/24"))
        nodes = {}
        for number, letter in enumerate(names, start=1):
            where, address = f"{tag}-{letter}", IPv4Interface(f"172.30.0.{10 + number}/24")
            _plug(stack, bridge, where, address)
            settings = NodeSettings(
                node_name=letter,
                node_address=address.ip,
                pod_cidr=IPv4Network(f"10.244.{number}.0/24"),
                cluster_cidr=CLUSTER_CIDR,
                service_cidr=SERVICE_CIDR,
                state_dir=directory / letter,
            )
            network_of = NodeNetwork(settings, HostKernel(where, variant=variant))
            nodes[letter] = Node(letter, where, settings, variant, network_of)
            stack.callback(lambda node: node.network.close(), nodes[letter])
        made = Cluster(tag, outside, nodes, stack)
        made.apply()
        yield made


def _namespace(stack: ExitStack, name: str) -> None:
    namespaces.create(name)
    stack.callback(namespaces.delete, name)


def _plug(stack: ExitStack, bridge: str, where: str, address: IPv4Interface) -> None:
    _namespace(stack, where)
    with open_network(bridge) as network, open_network(where) as inside:
        name = where[-15:]
        network.change([AddVeth(name, "eth0", where, mtu=UNDERLAY_MTU), SetLink(name, master="br0")])
        inside.change([SetLink("eth0", up=True), SetAddress(Address("eth0", address))])
