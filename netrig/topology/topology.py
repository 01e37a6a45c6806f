"""A topology: declare nodes, links and routes, start them, and remove everything again.

Owns the namespaces, with which the kernel removes all links, addresses and rules, and the table of the links' current
state. Changes of links while it runs are in faults.py.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import TracebackType
from typing import Self

from netrig.drawing import svg
from netrig.errors import BadTopology
from netrig.topology import faults, naming, plan, report
from netrig.topology.model import End, Kind, Link, NodeSpec, Quality, RouteSpec, check_name, interface_name, port_name
from netrig.topology.node import Node
from netrig.topology.picture import drawing_of
from netstack import bulk, namespaces
from netstack.changes import DEFAULT


class Topology:
    """`start` makes everything that is declared; more can be declared later, followed by another `start`.

    Not thread-safe. Topologies are isolated from each other: they may use the same addresses.
    """

    def __init__(self) -> None:
        self._name = naming.NAMES.new()
        self._nodes: dict[str, Node] = {}
        self._links: dict[int, Link] = {}
        self._routes: list[RouteSpec] = []
        self._made_nodes: set[str] = set()
        self._made_links: set[int] = set()
        self._made_routes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def host(self, name: str, *, gateway: str = "") -> Node:
        """Declare a host, which does not forward packets. All declarations raise BadTopology."""
        return self._add(name, Kind.HOST, gateway)

    def router(self, name: str, *, gateway: str = "") -> Node:
        """Declare a router, which forwards packets and has no reverse path filter."""
        return self._add(name, Kind.ROUTER, gateway)

    def switch(self, name: str) -> Node:
        """Declare a switch: a bridge in a namespace of its own."""
        return self._add(name, Kind.SWITCH, "")

    def link(
        self,
        first: Node,
        second: Node,
        *,
        address: str = "",
        peer_address: str = "",
        mtu: int = 1500,
        rate_mbit: float | None = None,
        loss: float = 0.0,
        delay_ms: float = 0.0,
    ) -> Link:
        """Declare a cable. `address`: the address of its first end ("10.0.0.1/24"); `peer_address`: of its second.

        Rate, loss (0 to 1, of IPv4 packets) and delay apply to each direction.
        """
        if first is second:
            raise BadTopology(f"{first.name} cannot be linked to itself")
        ends = (self._end(first, second, address), self._end(second, first, peer_address))
        link = Link(len(self._links), ends, Quality(mtu, rate_mbit, loss, delay_ms))
        self._links[link.number] = link
        return link

    def route(self, node: Node, destination: str, *, via: str) -> None:
        """Declare a route of a host or router. The destination "default" is the default route."""
        network = DEFAULT if destination == "default" else IPv4Network(destination)
        self._routes.append(RouteSpec(node.name, network, IPv4Address(via)))

    def start(self) -> None:
        """Make the declared parts that do not exist yet. After an error, `close` cleans up.

        Raises BadTopology, Unsupported, NetstackError.
        """
        nodes = {name: node.spec for name, node in self._nodes.items()}
        new_nodes = [spec for name, spec in nodes.items() if name not in self._made_nodes]
        new_links = [link for link in self._links.values() if link.number not in self._made_links]
        links = list(self._links.values())
        new_routes = self._routes[self._made_routes :]
        batches = plan.batches(plan.Declared(nodes, links, new_nodes, new_links, new_routes))
        naming.watch()
        namespaces.create_all([spec.where for spec in new_nodes])
        self._made_nodes.update(spec.name for spec in new_nodes)
        bulk.apply(batches)
        self._made_links.update(link.number for link in new_links)
        self._made_routes = len(self._routes)
        faults.apply_delays(nodes, [link for link in new_links if link.quality.delay_ms > 0])
        faults.apply_rules(nodes, links, {end.node for link in new_links if link.quality.loss > 0 for end in link.ends})

    def close(self) -> None:
        """End the processes in it and remove everything. Idempotent."""
        made = [self._nodes[name] for name in self._made_nodes]
        for node in made:
            node.end_processes()
        naming.end_members([node.where for node in made if node.has_run])
        for node in made:
            namespaces.delete(node.where)
        self._made_nodes.clear()

    def nodes(self) -> tuple[Node, ...]:
        """All declared nodes."""
        return tuple(self._nodes.values())

    def links(self) -> tuple[Link, ...]:
        """All links in their current state."""
        return tuple(self._links.values())

    def cut(self, link: Link, *, toward: Node | None = None) -> None:
        """Unplug the cable; with `toward`, only drop the IPv4 packets towards that node."""
        if toward is None:
            self._links[link.number] = faults.plug(self._specs(), self._current(link), connected=False)
        else:
            self._set_rules(faults.deafen(self._current(link), toward.name))

    def heal(self, link: Link) -> None:
        """Undo cuts of both kinds, and restore routes that were lost with the link. Loss and rate stay."""
        current = self._current(link)
        if current.deaf:
            self._set_rules(faults.undeafen(current))
        if current.unplugged:
            healed = faults.plug(self._specs(), self._current(link), connected=True)
            self._links[link.number] = healed
            faults.replay_routes(self._specs(), healed, self._links.values(), self._routes)

    def set_loss(self, link: Link, loss: float) -> None:
        """Drop this share (0 to 1) of IPv4 packets in each direction."""
        self._set_rules(faults.set_loss(self._current(link), loss))

    def set_rate(self, link: Link, rate_mbit: float | None) -> None:
        """Limit the bandwidth in each direction; None: no limit. Raises Unsupported if the kernel has no tbf."""
        self._links[link.number] = faults.set_rate(self._specs(), self._current(link), rate_mbit)

    def set_delay(self, link: Link, delay_ms: float) -> None:
        """Delay packets in each direction. Raises Unsupported if the kernel has no netem."""
        self._links[link.number] = faults.set_delay(self._specs(), self._current(link), delay_ms)

    def set_mtu(self, link: Link, mtu: int) -> None:
        """Set the MTU of both ends."""
        self._links[link.number] = faults.set_mtu(self._specs(), self._current(link), mtu)

    def report(self) -> str:
        """The state of all links, and all nodes with links, routes and rules: the text for a failed test."""
        lines = [f"link {link}: {faults.describe(link)}" for link in self._links.values()]
        return "\n".join([*lines, *(report.describe(node) for node in self._nodes.values())])

    def draw(self) -> str:
        """A picture of nodes, links, addresses and faults, as SVG text to be written to a file."""
        return svg(drawing_of((node.spec for node in self.nodes()), self.links(), self._routes))

    def _add(self, name: str, kind: Kind, gateway: str) -> Node:
        if check_name(name) in self._nodes:
            raise BadTopology(f"a node {name} exists already")
        node = self._nodes[name] = Node(NodeSpec(name, kind, f"{self._name}-{name}"))
        if gateway:
            self.route(node, "default", via=gateway)
        return node

    def _end(self, node: Node, peer: Node, address: str) -> End:
        if self._nodes.get(node.name) is not node:
            raise BadTopology(f"{node.name} belongs to another topology")
        if node.kind is Kind.SWITCH and address:
            raise BadTopology(f"{node.name} is a switch: its ports have no addresses")
        taken = frozenset(end.interface for link in self._links.values() for end in link.ends if end.node == node.name)
        interface = port_name(peer.name, taken) if node.kind is Kind.SWITCH else interface_name(taken)
        return End(node.name, interface, IPv4Interface(address) if address else None)

    def _current(self, link: Link) -> Link:
        if link.number not in self._made_links:
            raise BadTopology(f"the link {link} is not started")
        return self._links[link.number]

    def _set_rules(self, link: Link) -> None:
        self._links[link.number] = link
        faults.apply_rules(self._specs(), self._links.values(), {end.node for end in link.ends})

    def _specs(self) -> dict[str, NodeSpec]:
        return {name: node.spec for name, node in self._nodes.items()}
