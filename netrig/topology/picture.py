"""A topology as a drawing: its hosts, switches and routers, and the current state of its links. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netrig.drawing.model import Cable, Drawing, Place, Shape
from netrig.topology.model import End, Kind, Link, NodeSpec, RouteSpec

_ANYWHERE = 0


def drawing_of(nodes: Iterable[NodeSpec], links: Iterable[Link], routes: Iterable[RouteSpec]) -> Drawing:
    """The drawing of the declared nodes, links and routes; without programs and rules."""
    routes = list(routes)
    nodes = list(nodes)
    kinds = {node.name: node.kind for node in nodes}
    places = tuple(
        Place(
            node.name,
            str(node.kind),
            shape=Shape.BAR if node.kind is Kind.SWITCH else Shape.BOX,
            lines=tuple(_routes(node.name, routes)),
        )
        for node in nodes
    )
    return Drawing("topology", places, tuple(_cable(link, kinds) for link in links))


def _routes(node: str, routes: Iterable[RouteSpec]) -> Iterator[str]:
    for route in routes:
        if route.node == node:
            destination = "default" if route.destination.prefixlen == _ANYWHERE else str(route.destination)
            yield f"{destination} via {route.gateway}"


def _cable(link: Link, kinds: dict[str, Kind]) -> Cable:
    first, second = link.ends
    return Cable(
        places=(first.node, second.node),
        ends=(_end(first, kinds), _end(second, kinds)),
        words=(f"mtu {link.quality.mtu}",),
        faults=tuple(_faults(link)),
        cut=link.unplugged,
    )


def _end(end: End, kinds: dict[str, Kind]) -> str:
    """The text of an end. Empty for a switch, as its ports have no address and are named after the peer."""
    if kinds[end.node] is Kind.SWITCH:
        return ""
    return f"{end.interface} {end.address}" if end.address is not None else end.interface


def _faults(link: Link) -> Iterator[str]:
    quality = link.quality
    if link.unplugged:
        yield "cut"
    if link.deaf:
        yield f"cut toward {', '.join(sorted(link.deaf))}"
    if quality.loss:
        yield f"loss {100 * quality.loss:g} %"
    if quality.rate_mbit is not None:
        yield f"rate {quality.rate_mbit:g} Mbit/s"
    if quality.delay_ms:
        yield f"delay {quality.delay_ms:g} ms"
