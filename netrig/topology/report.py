"""A node as text for a failed test: links, addresses, routes and rules."""

from __future__ import annotations

from netrig.topology.node import Node
from netstack.errors import NetstackError
from netstack.state import Address, Link, Route


def describe(node: Node) -> str:
    """Links with addresses, routes, and rules with counters. Never raises: an error is reported in the text."""
    try:
        links, addresses, routes, rules = node.links(), node.addresses(), node.routes(), node.rules()
    except NetstackError as error:
        return f"{node.kind} {node.name}: {error}"
    lines = [f"{node.kind} {node.name} ({node.where})"]
    lines += [f"  {_link(link, addresses)}" for link in links]
    lines += [f"  {_route(route)}" for route in routes]
    lines += [f"  {line}" for line in rules.splitlines()]
    return "\n".join(lines)


def _link(link: Link, addresses: tuple[Address, ...]) -> str:
    words = [f"link {link.name}", link.kind, "up" if link.up else "DOWN", f"mtu {link.mtu}", link.mac]
    words += [f"on {link.master}"] if link.master else []
    words += [str(item.interface) for item in addresses if item.link == link.name]
    return " ".join(word for word in words if word)


def _route(route: Route) -> str:
    via = f" via {route.gateway}" if route.gateway is not None else ""
    return f"route {route.destination}{via} dev {route.link}"
