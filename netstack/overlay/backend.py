"""The interface of an overlay backend, which computes the device and the entries that a node needs.

A backend returns values; plan.py finds the difference from the kernel's state. VXLAN is the first backend. Plain routes
between nodes of one subnet need a backend without a device, and fit the same Protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Protocol

from netstack.changes import AddVxlan
from netstack.desired import Peer
from netstack.state import Address, Forwarding, Neighbour, Route


@dataclass(frozen=True, slots=True)
class OverlayState:
    """The desired overlay of one node. Entries on `device` that are not listed are deleted."""

    device: AddVxlan
    addresses: tuple[Address, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwardings: tuple[Forwarding, ...] = ()
    routes: tuple[Route, ...] = field(default=())


class Backend(Protocol):
    """One way to carry pods' packets between nodes."""

    def desired(self, peers: Sequence[Peer], underlay_mtu: int, dns: IPv4Address | None = None) -> OverlayState:
        """`dns`: a further address of the device, which each node has for itself."""
        ...

    def pod_mtu(self, underlay_mtu: int) -> int: ...
