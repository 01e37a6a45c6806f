"""The difference between the desired and the observed overlay.

Pure. Routes are deleted first and added last: a path becomes usable with its last entry, and stops being used before
any other entry is removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from netstack import changes as c
from netstack.changes import Change
from netstack.overlay.backend import OverlayState
from netstack.state import Link, Snapshot

T = TypeVar("T")


def plan(desired: OverlayState, observed: Snapshot) -> list[Change]:
    """The changes that bring the overlay to the desired state."""
    device, name = desired.device, desired.device.name
    link = observed.link(name)
    steps: list[Change] = []
    if link is not None and not _same_device(desired, link):
        steps.append(c.DeleteLink(name))
        link = None
    if link is None:
        # Deleting a device deletes everything on it, so all of it is written again on the new one.
        observed = Snapshot(links=observed.links)
        steps.append(device)
    elif link.mtu != device.mtu or not link.up:
        steps.append(c.SetLink(name, up=True, mtu=device.mtu))
        if not link.up:
            # A link that went down has lost its routes, and may have lost neighbours too.
            observed = Snapshot(links=observed.links, addresses=observed.addresses)
    return steps + _entries(desired, observed)


def _same_device(desired: OverlayState, link: Link) -> bool:
    device, vxlan = desired.device, link.vxlan
    if vxlan is None or link.mac != device.mac:
        return False
    return (vxlan.vni, vxlan.local, vxlan.port, vxlan.learning) == (device.vni, device.local, device.port, False)


def _entries(desired: OverlayState, observed: Snapshot) -> list[Change]:
    name = desired.device.name
    routes = {route for route in observed.routes if route.link == name}
    forwardings = {entry for entry in observed.forwardings if entry.link == name}
    neighbours = {entry for entry in observed.neighbours if entry.link == name and entry.permanent}
    addresses = {entry for entry in observed.addresses if entry.link == name}
    desired_routes = {route.destination for route in desired.routes}
    desired_neighbours = {entry.address for entry in desired.neighbours}
    desired_macs = {entry.mac for entry in desired.forwardings}
    steps: list[Change] = []
    steps += [c.DeleteRoute(route) for route in routes if route.destination not in desired_routes]
    steps += [c.DeleteForwarding(entry) for entry in forwardings if entry.mac not in desired_macs]
    steps += [c.DeleteNeighbour(entry) for entry in neighbours if entry.address not in desired_neighbours]
    steps += [c.DeleteAddress(entry) for entry in _missing(addresses, set(desired.addresses))]
    steps += [c.SetAddress(entry) for entry in _missing(desired.addresses, addresses)]
    steps += [c.SetNeighbour(entry) for entry in _missing(desired.neighbours, neighbours)]
    steps += [c.SetForwarding(entry) for entry in _missing(desired.forwardings, forwardings)]
    steps += [c.SetRoute(entry) for entry in _missing(desired.routes, routes)]
    return steps


def _missing(desired: Iterable[T], present: set[T]) -> list[T]:
    return [entry for entry in desired if entry not in present]
