"""Derives the changes of namespaces from a declaration. Pure, so that it can be tested without namespaces.

A link is made from the namespace of its node that comes first (switches come before others), with its peer directly in
the other namespace. So each namespace is entered once, and once more to make its links usable at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from netrig.errors import BadTopology
from netrig.topology.model import BRIDGE, End, Kind, Link, NodeSpec, RouteSpec
from netstack import bulk
from netstack import changes as c
from netstack.state import Address, Route

# Set in each namespace, because a new one inherits these values from the machine.
_SYSCTLS: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.HOST: {"net/ipv4/ip_forward": "0"},
    Kind.SWITCH: {},
    Kind.ROUTER: {
        "net/ipv4/ip_forward": "1",
        "net/ipv4/conf/all/rp_filter": "0",
        "net/ipv4/conf/default/rp_filter": "0",
    },
}
_BITS: Final = 1_000_000 / 8
_BURST_S: Final = 0.01
_LEAST_BURST_FRAMES: Final = 2
_QUEUE_S: Final = 0.1
_LEAST_QUEUE_FRAMES: Final = 10
_ETHERNET_HEADER_BYTES: Final = 14


@dataclass(frozen=True, slots=True)
class Declared:
    """The whole declaration, and the parts of it that are not made yet."""

    nodes: Mapping[str, NodeSpec]
    links: Sequence[Link]
    new_nodes: Sequence[NodeSpec]
    new_links: Sequence[Link]
    new_routes: Sequence[RouteSpec]


def batches(declared: Declared) -> list[bulk.Batch]:
    """The changes that make the new parts, ordered by their dependencies.

    Raises BadTopology for a route whose gateway is not reachable over a link of its node.
    """
    nodes, links = declared.nodes, declared.new_links
    order = sorted(nodes.values(), key=lambda node: node.kind is not Kind.SWITCH)
    place = {node.name: number for number, node in enumerate(order)}
    fresh = {node.name for node in declared.new_nodes}
    first, last = [], []
    for node in order:
        own_links = [link for link in links if node.name in (link.ends[0].node, link.ends[1].node)]
        cables = _made_by(node, own_links, place)
        changes = [*_bridge(node, fresh), *_cables(node, nodes, cables), *_ends(node, own_links)]
        # The other ends of links that earlier nodes made are up by now.
        changes += settle(node, [link for link in own_links if link not in cables]).changes
        changes += [c.SetRoute(route) for route in routes_of(node.name, declared.links, declared.new_routes)]
        changes += [limit for link in own_links for limit in _limits(node, link)]
        if changes or node.name in fresh:
            first.append(bulk.Batch(node.where, tuple(changes), _SYSCTLS[node.kind] if node.name in fresh else {}))
        last.append(settle(node, cables))
    return first + [batch for batch in last if batch.changes]


def settle(node: NodeSpec, links: Iterable[Link]) -> bulk.Batch:
    """The changes that make the node's ends of these links usable at once; both ends must be up."""
    ends = [end.interface for link in links for end in link.ends if end.node == node.name]
    return bulk.Batch(node.where, tuple(bulk.SettleLink(interface) for interface in ends))


def routes_of(node: str, links: Iterable[Link], routes: Iterable[RouteSpec]) -> list[Route]:
    """The routes of a node, each over the link that reaches its gateway."""
    ends = [end for link in links for end in link.ends if end.node == node]
    own = [route for route in routes if route.node == node]
    return [Route(route.destination, _towards(ends, node, route.gateway).interface, route.gateway) for route in own]


def rate_limit(interface: str, link: Link) -> c.SetRateLimit | c.DeleteRateLimit:
    """A token bucket with bursts of 10 ms and a queue of 100 ms, but room for a few frames at least."""
    if link.quality.rate_mbit is None:
        return c.DeleteRateLimit(interface)
    rate = int(link.quality.rate_mbit * _BITS)
    frame = link.quality.mtu + _ETHERNET_HEADER_BYTES
    burst = max(int(rate * _BURST_S), _LEAST_BURST_FRAMES * frame)
    return c.SetRateLimit(interface, rate, burst, max(int(rate * _QUEUE_S), _LEAST_QUEUE_FRAMES * frame))


def pulled_end(link: Link, nodes: Mapping[str, NodeSpec]) -> End:
    """The end that is set down to cut a link: preferably a switch's, which has no routes to lose, or else a host's.

    A router would answer "unreachable" at once if its end were down, whereas an unplugged cable is silent.
    """
    order = (Kind.SWITCH, Kind.HOST, Kind.ROUTER)
    return min(reversed(link.ends), key=lambda end: order.index(nodes[end.node].kind))


def _bridge(node: NodeSpec, fresh: set[str]) -> list[bulk.BulkChange]:
    return [c.AddBridge(BRIDGE)] if node.kind is Kind.SWITCH and node.name in fresh else []


def _cables(node: NodeSpec, nodes: Mapping[str, NodeSpec], links: Sequence[Link]) -> list[bulk.BulkChange]:
    """The veth pairs that are made from this node's namespace."""
    changes: list[bulk.BulkChange] = []
    for link in links:
        own, peer = link.ends if link.ends[0].node == node.name else reversed(link.ends)
        changes.append(c.AddVeth(own.interface, peer.interface, nodes[peer.node].where, link.quality.mtu, up=False))
    return changes


def _made_by(node: NodeSpec, links: Sequence[Link], place: Mapping[str, int]) -> list[Link]:
    """The links that are made from this node's namespace, because it comes before the other node."""
    return [link for link in links if min((end.node for end in link.ends), key=place.__getitem__) == node.name]


def _ends(node: NodeSpec, links: Sequence[Link]) -> list[bulk.BulkChange]:
    """Configure this node's ends: up, on the bridge, with an address."""
    changes: list[bulk.BulkChange] = []
    for end in (end for link in links for end in link.ends if end.node == node.name):
        changes.append(c.SetLink(end.interface, up=True, master=BRIDGE if node.kind is Kind.SWITCH else None))
        if end.address is not None:
            changes.append(c.SetAddress(Address(end.interface, end.address)))
    return changes


def _limits(node: NodeSpec, link: Link) -> list[bulk.BulkChange]:
    if link.quality.rate_mbit is None:
        return []
    return [rate_limit(end.interface, link) for end in link.ends if end.node == node.name]


def _towards(ends: Sequence[End], node: str, gateway: IPv4Address) -> End:
    for end in ends:
        if end.address is not None and gateway in end.address.network:
            return end
    raise BadTopology(f"{node} has no link to the gateway {gateway}")
