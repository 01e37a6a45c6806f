"""From what was declared to changes of namespaces: pure, so that it can be tested without any.

Links are made by the end whose node comes first in the order (switches before all others), each with its peer in the
namespace where it belongs; so each namespace is entered once.
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

# Set in each namespace, as a new one begins with what the machine's own happens to have.
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
    """All that was declared, and what of it is not made yet."""

    nodes: Mapping[str, NodeSpec]
    links: Sequence[Link]
    new_nodes: Sequence[NodeSpec]
    new_links: Sequence[Link]
    new_routes: Sequence[RouteSpec]


def batches(declared: Declared) -> list[bulk.Batch]:
    """Everything that is new, in an order in which each finds what it needs.

    Raises BadTopology for a route whose gateway is on no link of its node.
    """
    nodes, links = declared.nodes, declared.new_links
    order = sorted(nodes.values(), key=lambda node: node.kind is not Kind.SWITCH)
    place = {node.name: number for number, node in enumerate(order)}
    fresh = {node.name for node in declared.new_nodes}
    made, last = [], []
    for node in order:
        here = [link for link in links if node.name in (link.ends[0].node, link.ends[1].node)]
        cables = _made_by(node, here, place)
        changes = [*_bridge(node, fresh), *_cables(node, nodes, cables), *_ends(node, here)]
        # Whose other ends are up by now: those that others made, earlier in the order.
        changes += settle(node, [link for link in here if link not in cables]).changes
        changes += [c.SetRoute(route) for route in routes_of(node.name, declared.links, declared.new_routes)]
        changes += [limit for link in here for limit in _limits(node, link)]
        if changes or node.name in fresh:
            made.append(bulk.Batch(node.where, tuple(changes), _SYSCTLS[node.kind] if node.name in fresh else {}))
        last.append(settle(node, cables))
    return made + [batch for batch in last if batch.changes]


def settle(node: NodeSpec, links: Iterable[Link]) -> bulk.Batch:
    """What makes the node's ends usable at once, when both ends of these links are up."""
    ends = [end.interface for link in links for end in link.ends if end.node == node.name]
    return bulk.Batch(node.where, tuple(bulk.SettleLink(interface) for interface in ends))


def routes_of(node: str, links: Iterable[Link], routes: Iterable[RouteSpec]) -> list[Route]:
    """The node's routes, each on the link that its gateway is behind."""
    ends = [end for link in links for end in link.ends if end.node == node]
    wanted = [route for route in routes if route.node == node]
    return [Route(route.destination, _behind(ends, node, route.gateway).interface, route.gateway) for route in wanted]


def rate_limit(interface: str, link: Link) -> c.SetRateLimit | c.DeleteRateLimit:
    """A token bucket: bursts of 10 ms, a queue of 100 ms, but room for a few frames in any case."""
    if link.quality.rate_mbit is None:
        return c.DeleteRateLimit(interface)
    rate = int(link.quality.rate_mbit * _BITS)
    frame = link.quality.mtu + _ETHERNET_HEADER_BYTES
    burst = max(int(rate * _BURST_S), _LEAST_BURST_FRAMES * frame)
    return c.SetRateLimit(interface, rate, burst, max(int(rate * _QUEUE_S), _LEAST_QUEUE_FRAMES * frame))


def pulled_end(link: Link, nodes: Mapping[str, NodeSpec]) -> End:
    """The end that goes down when the cable is cut: a switch's, so that no routes are lost; else a host's.

    A router's would make the router answer "unreachable" at once, where a pulled cable is silent.
    """
    order = (Kind.SWITCH, Kind.HOST, Kind.ROUTER)
    return min(reversed(link.ends), key=lambda end: order.index(nodes[end.node].kind))


def _bridge(node: NodeSpec, fresh: set[str]) -> list[bulk.BulkChange]:
    return [c.AddBridge(BRIDGE)] if node.kind is Kind.SWITCH and node.name in fresh else []


def _cables(node: NodeSpec, nodes: Mapping[str, NodeSpec], links: Sequence[Link]) -> list[bulk.BulkChange]:
    """The veth pairs that this node makes."""
    made: list[bulk.BulkChange] = []
    for link in links:
        here, there = link.ends if link.ends[0].node == node.name else reversed(link.ends)
        made.append(c.AddVeth(here.interface, there.interface, nodes[there.node].where, link.quality.mtu, up=False))
    return made


def _made_by(node: NodeSpec, links: Sequence[Link], place: Mapping[str, int]) -> list[Link]:
    """The links that are made by this node, being the earlier of their two."""
    return [link for link in links if min((end.node for end in link.ends), key=place.__getitem__) == node.name]


def _ends(node: NodeSpec, links: Sequence[Link]) -> list[bulk.BulkChange]:
    """This node's ends: up, on the bridge, addressed."""
    made: list[bulk.BulkChange] = []
    for end in (end for link in links for end in link.ends if end.node == node.name):
        made.append(c.SetLink(end.interface, up=True, master=BRIDGE if node.kind is Kind.SWITCH else None))
        if end.address is not None:
            made.append(c.SetAddress(Address(end.interface, end.address)))
    return made


def _limits(node: NodeSpec, link: Link) -> list[bulk.BulkChange]:
    if link.quality.rate_mbit is None:
        return []
    return [rate_limit(end.interface, link) for end in link.ends if end.node == node.name]


def _behind(ends: Sequence[End], node: str, gateway: IPv4Address) -> End:
    for end in ends:
        if end.address is not None and gateway in end.address.network:
            return end
    raise BadTopology(f"{node} has no link to the gateway {gateway}")
