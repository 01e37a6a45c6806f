"""The links, addresses, routes and neighbours of one network namespace: read them, change them.

`Network` is the Protocol that the rest of netstack (and the lab) works with; `KernelNetwork` is the real one, over
pyroute2 (netlink/); fake.py has one in memory. Rules are not here (services/), nor sysctls (sysctl.py).
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
    """One namespace's network. Reading methods ask the kernel anew at each call."""

    def links(self) -> tuple[Link, ...]: ...

    def link(self, name: str) -> Link | None: ...

    def addresses(self) -> tuple[Address, ...]: ...

    def routes(self, *, protocol: int = ROUTE_PROTOCOL) -> tuple[Route, ...]:
        """Unicast routes of the main table with this origin (0: all of them)."""
        ...

    def neighbours(self) -> tuple[Neighbour, ...]: ...

    def forwardings(self) -> tuple[Forwarding, ...]: ...

    def snapshot(self) -> Snapshot:
        """All of the above, the links being asked for once."""
        ...

    def change(self, changes: Sequence[Change]) -> None:
        """Apply all, in order. Raises the first refusal, after the others were tried."""
        ...

    def set_up(self, name: str) -> None:
        """Bring a link up."""
        ...

    def close(self) -> None: ...


class KernelNetwork:
    """The network of the namespace `where`, through one connection with its thread."""

    def __init__(self, where: Where = None) -> None:
        # Here, not above: importing pyroute2 takes 60 ms and 4 MB, which those who open nothing need not pay.
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
        found: Link | None = self._connection.run(lambda route: self._reads.link(route, name))
        return found

    def addresses(self) -> tuple[Address, ...]:
        return self._connection.run(lambda route: self._reads.addresses(route, self._reads.Names()))

    def routes(self, *, protocol: int = ROUTE_PROTOCOL) -> tuple[Route, ...]:
        return self._connection.run(lambda route: self._reads.routes(route, self._reads.Names(), protocol))

    def neighbours(self) -> tuple[Neighbour, ...]:
        return self._connection.run(lambda route: self._reads.neighbours(route, self._reads.Names()))

    def forwardings(self) -> tuple[Forwarding, ...]:
        return self._connection.run(lambda route: self._reads.forwardings(route, self._reads.Names()))

    def snapshot(self) -> Snapshot:
        found: Snapshot = self._connection.run(lambda route: self._reads.snapshot(route, ROUTE_PROTOCOL))
        return found

    def set_up(self, name: str) -> None:
        self.change([c.SetLink(name, up=True)])

    def change(self, changes: Sequence[Change]) -> None:
        self._connection.run(lambda route: self._writes.apply(route, changes))


def open_network(where: Where = None) -> KernelNetwork:
    """The real network of a namespace. Close it, or use it as a context manager: it has a thread."""
    return KernelNetwork(where)
