"""Reads and changes links, addresses, routes and neighbours of one network namespace.

`Network` is the Protocol that all other code uses. `KernelNetwork` implements it with pyroute2 (netlink/), fake.py in
memory. Rules (services/) and kernel parameters (sysctl.py) are elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from netstack import changes as c
from netstack.changes import Change
from netstack.namespaces import Where
from netstack.state import ROUTE_PROTOCOL, Address, Forwarding, Link, Neighbour, Route, Snapshot


class Network(Protocol):
    """One namespace's network. Each call of a reading method asks the kernel again."""

    def links(self) -> tuple[Link, ...]: ...

    def link(self, name: str) -> Link | None: ...

    def addresses(self) -> tuple[Address, ...]: ...

    def routes(self, *, protocol: int = ROUTE_PROTOCOL) -> tuple[Route, ...]:
        """Unicast routes of the main table with this protocol number (0: all of them)."""
        ...

    def neighbours(self) -> tuple[Neighbour, ...]: ...

    def forwardings(self) -> tuple[Forwarding, ...]: ...

    def snapshot(self) -> Snapshot:
        """All of the above, with a single request for the links."""
        ...

    def change(self, changes: Sequence[Change]) -> None:
        """Apply all changes in order. Raises the first refusal, after trying the rest."""
        ...

    def set_up(self, name: str) -> None:
        """Bring a link up."""
        ...

    def close(self) -> None: ...


class KernelNetwork:
    """The network of the namespace `where`, through one connection and its thread."""

    def __init__(self, where: Where = None) -> None:
        # Imported here: pyroute2 takes 60 ms and 4 MB, which a process that opens no network need not spend.
        from netstack.netlink import reads, writes
        from netstack.netlink.connection import Connection

        self._reads, self._writes = reads, writes
        self._connection = Connection(where)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def links(self) -> tuple[Link, ...]:
        return self._connection.run(self._reads.links)

    def link(self, name: str) -> Link | None:
        link: Link | None = self._connection.run(lambda route: self._reads.link(route, name))
        return link

    def addresses(self) -> tuple[Address, ...]:
        return self._connection.run(lambda route: self._reads.addresses(route, self._reads.Names()))

    def routes(self, *, protocol: int = ROUTE_PROTOCOL) -> tuple[Route, ...]:
        return self._connection.run(lambda route: self._reads.routes(route, self._reads.Names(), protocol))

    def neighbours(self) -> tuple[Neighbour, ...]:
        return self._connection.run(lambda route: self._reads.neighbours(route, self._reads.Names()))

    def forwardings(self) -> tuple[Forwarding, ...]:
        return self._connection.run(lambda route: self._reads.forwardings(route, self._reads.Names()))

    def snapshot(self) -> Snapshot:
        snapshot: Snapshot = self._connection.run(lambda route: self._reads.snapshot(route, ROUTE_PROTOCOL))
        return snapshot

    def set_up(self, name: str) -> None:
        self.change([c.SetLink(name, up=True)])

    def change(self, changes: Sequence[Change]) -> None:
        self._connection.run(lambda route: self._writes.apply(route, changes))


def open_network(where: Where = None) -> KernelNetwork:
    """The real network of a namespace. It has a thread, so close it, or use it as a context manager."""
    return KernelNetwork(where)
