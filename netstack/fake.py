"""A kernel in memory, for tests of code that uses netstack: no root, no packets, the same answers.

It refuses what the real kernel refuses: a second link of the same name, a route through a gateway that cannot be
reached, deleting a chain that a rule still jumps to. It forgets what the real one forgets: the routes of a link that
goes down. The contract suite in tests/unit/netstack/contract.py runs against both.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network

from netstack import changes as c
from netstack.changes import Change
from netstack.errors import AlreadyThere, HostNamespace, KernelRefused, NamespaceMissing, NotThere
from netstack.fakerules import FakeIptables
from netstack.services.flows import Flow
from netstack.services.writer import RuleTool
from netstack.state import (
    ROUTE_PROTOCOL,
    Address,
    Forwarding,
    Link,
    Neighbour,
    Route,
    Snapshot,
    Vxlan,
)

_SCRATCH_MAC = "02:00:00:00:00:00"
_LINK_SYSCTLS = "net/ipv6/conf/"
HOST = "host"
"""The name of the host's own namespace."""


class FakeKernel:
    """One host with the namespaces of its pods. Implements `netstack.kernel.Kernel`."""

    def __init__(self) -> None:
        self.namespaces: dict[str, FakeNetwork] = {}
        self._identities = itertools.count(1)
        self._identity_of: dict[str, tuple[int, int]] = {}
        self.sysctls: dict[str, str] = {}
        self.pod_sysctls: dict[str, dict[str, str]] = {}
        self.rules = FakeIptables()
        self.other_rules: FakeIptables | None = None
        self.tracked: list[Flow] = []
        self.host = FakeNetwork(self)

    def add_namespace(self, name: str) -> FakeNetwork:
        """A new namespace with a loopback, reachable by this name."""
        self.namespaces[name] = FakeNetwork(self)
        self._identity_of[name] = (0, next(self._identities))
        return self.namespaces[name]

    def remove_namespace(self, name: str) -> None:
        """Remove a namespace, with its links and their peers."""
        network = self.namespaces.pop(name)
        del self._identity_of[name]
        self.pod_sysctls.pop(name, None)
        network.change([c.DeleteLink(link.name) for link in network.links() if link.name != "lo"])

    @contextmanager
    def pinned(self, where: str) -> Iterator[str]:
        self.open_network(where)
        yield where

    def open_network(self, where: str) -> FakeNetwork:
        if where == HOST:
            raise HostNamespace(f"network namespace {where} is the host's own, not a pod's")
        try:
            return self.namespaces[where]
        except KeyError as error:
            raise NamespaceMissing(f"network namespace {where} does not exist") from error

    def identity(self, where: str) -> tuple[int, int]:
        self.open_network(where)
        return self._identity_of[where]

    def rule_tool(self, prefix: str) -> RuleTool:
        return self.rules

    def other_variant_tool(self, prefix: str) -> RuleTool | None:
        return self.other_rules

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        present = self.sysctls
        if where is not None:
            self.open_network(where)
            present = self.pod_sysctls.setdefault(where, {})
        else:
            for key in values:
                if key.startswith(_LINK_SYSCTLS) and self.host.link(key.split("/")[3]) is None:
                    raise NotThere(errno.ENOENT, f"sysctl {key}")
        changed = tuple(key for key, value in values.items() if present.get(key) != value)
        present.update(values)
        return changed

    def forget_sysctls(self, link: str) -> None:
        """A link of the host is gone, and its parameters with it."""
        gone = f"{_LINK_SYSCTLS}{link}/"
        self.sysctls = {key: value for key, value in self.sysctls.items() if not key.startswith(gone)}

    def flows(self, protocols: Collection[str]) -> tuple[Flow, ...]:
        return tuple(flow for flow in self.tracked if flow.protocol in protocols)

    def forget_flows(self, flows: Sequence[Flow]) -> None:
        self.tracked = [flow for flow in self.tracked if flow not in flows]

    def close(self) -> None:
        """Does nothing: the fake opens nothing."""


class FakeNetwork:
    """One namespace. Implements `netstack.network.Network`."""

    def __init__(self, kernel: FakeKernel) -> None:
        self._kernel = kernel
        self._indexes = itertools.count(1)
        self._links: dict[str, Link] = {}
        self._peers: dict[str, tuple[FakeNetwork, str]] = {}
        self._addresses: set[Address] = set()
        self._routes: dict[IPv4Network, Route] = {}
        self._neighbours: dict[tuple[str, object], Neighbour] = {}
        self._forwardings: dict[tuple[str, str], Forwarding] = {}
        self.rate_limits: dict[str, c.SetRateLimit] = {}
        self._add(Link(0, "lo", "", "00:00:00:00:00:00", 65536, up=True))
        self._addresses.add(Address("lo", IPv4Interface("127.0.0.1/8")))

    def links(self) -> tuple[Link, ...]:
        return tuple(self._links.values())

    def link(self, name: str) -> Link | None:
        return self._links.get(name)

    def addresses(self) -> tuple[Address, ...]:
        return tuple(self._addresses)

    def routes(self, *, protocol: int = ROUTE_PROTOCOL) -> tuple[Route, ...]:
        return tuple(route for route in self._routes.values() if protocol in (0, route.protocol))

    def neighbours(self) -> tuple[Neighbour, ...]:
        return tuple(self._neighbours.values())

    def forwardings(self) -> tuple[Forwarding, ...]:
        return tuple(self._forwardings.values())

    def snapshot(self) -> Snapshot:
        return Snapshot(self.links(), self.addresses(), self.neighbours(), self.forwardings(), self.routes())

    def set_up(self, name: str) -> None:
        self.change([c.SetLink(name, up=True)])

    def close(self) -> None:
        """Does nothing: the fake opens nothing."""

    def change(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._apply(change)

    def _apply(self, change: Change) -> None:
        match change:
            case c.AddVeth():
                self._add_veth(change)
            case c.AddBridge():
                self._add(Link(0, change.name, "bridge", _SCRATCH_MAC, change.mtu, change.up))
            case c.AddVxlan():
                vxlan = Vxlan(change.vni, change.local, change.port, learning=False)
                self._add(Link(0, change.name, "vxlan", change.mac, change.mtu, change.up, vxlan=vxlan))
            case c.DeleteLink():
                self._delete_link(change.name)
            case c.SetLink():
                self._set_link(change)
            case c.SetRateLimit():
                self._need(change.link)
                self.rate_limits[change.link] = change
            case c.DeleteRateLimit():
                self.rate_limits.pop(change.link, None)
            case _:
                self._entry(change)

    def _entry(self, change: Change) -> None:
        match change:
            case c.SetAddress():
                self._need(change.address.link)
                self._addresses.add(change.address)
            case c.DeleteAddress():
                self._delete_address(change.address)
            case c.SetRoute():
                self._set_route(change.route)
            case c.DeleteRoute():
                self._routes.pop(change.route.destination, None)
            case c.SetNeighbour():
                self._need(change.neighbour.link)
                self._neighbours[change.neighbour.link, change.neighbour.address] = change.neighbour
            case c.DeleteNeighbour():
                self._neighbours.pop((change.neighbour.link, change.neighbour.address), None)
            case c.SetForwarding():
                self._need(change.forwarding.link)
                self._forwardings[change.forwarding.link, change.forwarding.mac] = change.forwarding
            case c.DeleteForwarding():
                self._forwardings.pop((change.forwarding.link, change.forwarding.mac), None)

    def _need(self, name: str) -> Link:
        if name not in self._links:
            raise NotThere(errno.ENODEV, f"link {name}")
        return self._links[name]

    def _add(self, link: Link) -> None:
        if link.name in self._links:
            raise AlreadyThere(errno.EEXIST, f"link {link.name}")
        self._links[link.name] = replace(link, index=next(self._indexes))

    def _add_veth(self, change: c.AddVeth) -> None:
        inside = self if change.peer_namespace is None else self._kernel.open_network(change.peer_namespace)
        if change.peer in inside._links:
            raise AlreadyThere(errno.EEXIST, f"link {change.peer}")
        self._add(Link(0, change.name, "veth", change.mac or _SCRATCH_MAC, change.mtu, change.up))
        inside._add(Link(0, change.peer, "veth", change.peer_mac or _SCRATCH_MAC, change.mtu, up=False))
        self._peers[change.name] = (inside, change.peer)
        inside._peers[change.peer] = (self, change.name)

    def _delete_link(self, name: str) -> None:
        if self._links.pop(name, None) is None:
            return
        self._addresses = {entry for entry in self._addresses if entry.link != name}
        self._routes = {key: route for key, route in self._routes.items() if route.link != name}
        self._neighbours = {key: entry for key, entry in self._neighbours.items() if entry.link != name}
        self._forwardings = {key: entry for key, entry in self._forwardings.items() if entry.link != name}
        self.rate_limits.pop(name, None)
        if self is self._kernel.host:
            self._kernel.forget_sysctls(name)
        peer = self._peers.pop(name, None)
        if peer is not None:
            peer[0]._delete_link(peer[1])

    def _set_link(self, change: c.SetLink) -> None:
        link = self._need(change.name)
        if change.master:
            self._need(change.master)
        if change.up is False:
            self._routes = {key: route for key, route in self._routes.items() if route.link != change.name}
        self._links[change.name] = replace(
            link,
            up=link.up if change.up is None else change.up,
            mtu=link.mtu if change.mtu is None else change.mtu,
            mac=link.mac if change.mac is None else change.mac,
            master=link.master if change.master is None else change.master,
        )

    def _delete_address(self, address: Address) -> None:
        self._addresses.discard(address)
        self._routes = {key: route for key, route in self._routes.items() if route.source != address.interface.ip}

    def _set_route(self, route: Route) -> None:
        if not self._need(route.link).up:
            raise KernelRefused(errno.ENETDOWN, str(route))
        if route.source is not None and all(entry.interface.ip != route.source for entry in self._addresses):
            raise KernelRefused(errno.EINVAL, str(route))
        if route.gateway is not None and not route.onlink and not self._reaches(route):
            raise KernelRefused(errno.ENETUNREACH, str(route))
        self._routes[route.destination] = route

    def _reaches(self, route: Route) -> bool:
        connected = [entry.interface.network for entry in self._addresses if entry.link == route.link]
        direct = [known.destination for known in self._routes.values() if known.gateway is None]
        return any(route.gateway in network for network in [*connected, *direct])
