"""Applies our changes through pyroute2.

All functions run on a Connection's thread. They look up indexes of links in the C library, which uses the namespace of
the calling thread.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from pyroute2.iproute.linux import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netstack import changes as c
from netstack import namespaces
from netstack.changes import Change
from netstack.errors import NetstackError, NotThere, kernel_error
from netstack.state import PERMANENT, Address, Forwarding, Neighbour, Route

_DELETIONS: Final = (
    c.DeleteLink,
    c.DeleteAddress,
    c.DeleteRoute,
    c.DeleteNeighbour,
    c.DeleteForwarding,
    c.DeleteRateLimit,
)
_MAIN_TABLE: Final = 254
_RTN_UNICAST: Final = 1
_RTNH_F_ONLINK: Final = 4
# A VXLAN device's own entry. pyroute2 adds these for "add" and "del", not for "replace".
_NTF_SELF: Final = 2
_NUD_NOARP: Final = 0x40
_TC_HANDLE: Final = 0x10000
_TC_H_ROOT: Final = 0xFFFFFFFF

Call = Callable[..., Awaitable[Any]]


async def apply(route: AsyncIPRoute, changes: Sequence[Change]) -> None:
    """Try all changes in order. Raises the first refusal at the end."""
    refusal: NetstackError | None = None
    for change in changes:
        try:
            await _apply(route, change)
        except NetstackError as error:
            done = isinstance(error, NotThere) and isinstance(change, _DELETIONS)
            refusal = refusal or (None if done else error)
    if refusal is not None:
        raise refusal


async def _apply(route: AsyncIPRoute, change: Change) -> None:
    try:
        match change:
            case c.AddVeth() | c.AddBridge() | c.AddVxlan() | c.SetLink() | c.DeleteLink():
                await _change_link(route.link, change)
            case c.SetRateLimit() | c.DeleteRateLimit():
                await _change_rate_limit(route.tc, change)
            case c.SetAddress() | c.DeleteAddress():
                await route.addr(_verb(change), **_address(change.address))
            case c.SetRoute() | c.DeleteRoute():
                await route.route(_verb(change), **_route(change.route))
            case c.SetNeighbour() | c.DeleteNeighbour():
                await route.neigh(_verb(change), **_neighbour(change.neighbour))
            case c.SetForwarding() | c.DeleteForwarding():
                await route.fdb(_verb(change), **_forwarding(change.forwarding))
    except NetlinkError as error:
        raise kernel_error(error.code, str(change)) from error


async def _change_link(link: Call, change: c.AddVeth | c.AddBridge | c.AddVxlan | c.SetLink | c.DeleteLink) -> None:
    match change:
        case c.AddVeth():
            await _add_veth(link, change)
        case c.AddBridge():
            await link("add", kind="bridge", ifname=change.name, mtu=change.mtu, state=_state(change.up))
        case c.AddVxlan():
            await link(
                "add",
                kind="vxlan",
                ifname=change.name,
                mtu=change.mtu,
                address=change.mac,
                state=_state(change.up),
                vxlan_id=change.vni,
                vxlan_local=str(change.local),
                vxlan_port=change.port,
                vxlan_learning=0,
            )
        case c.SetLink():
            given = {
                "state": None if change.up is None else _state(change.up),
                "mtu": change.mtu,
                "address": change.mac,
                "master": None if change.master is None else _index(change.master) if change.master else 0,
            }
            await link("set", index=_index(change.name), **_without_none(given))
        case c.DeleteLink():
            await link("del", index=_index(change.name))


async def _add_veth(link: Call, change: c.AddVeth) -> None:
    peer = {"ifname": change.peer, "mtu": change.mtu, "address": change.peer_mac or None}
    fd = None if change.peer_namespace is None else namespaces.open_fd(change.peer_namespace)
    try:
        await link(
            "add",
            kind="veth",
            ifname=change.name,
            mtu=change.mtu,
            state=_state(change.up),
            peer=_without_none({**peer, "net_ns_fd": fd}),
            **({"address": change.mac} if change.mac else {}),
        )
    finally:
        if fd is not None:
            os.close(fd)


async def _change_rate_limit(tc: Call, change: c.SetRateLimit | c.DeleteRateLimit) -> None:
    index = _index(change.link)
    match change:
        case c.SetRateLimit():
            bucket = {"rate": change.rate_bytes, "burst": change.burst_bytes, "limit": change.queue_bytes}
            await tc("replace", "tbf", index=index, handle=_TC_HANDLE, parent=_TC_H_ROOT, **bucket)
        case c.DeleteRateLimit():
            await tc("del", index=index, parent=_TC_H_ROOT)


def _address(item: Address) -> dict[str, Any]:
    return {
        "index": _index(item.link),
        "family": socket.AF_INET,
        "address": str(item.interface.ip),
        "prefixlen": item.interface.network.prefixlen,
    }


def _route(item: Route) -> dict[str, Any]:
    return _without_none(
        {
            "family": socket.AF_INET,
            "dst": str(item.destination),
            "oif": _index(item.link),
            "gateway": str(item.gateway) if item.gateway is not None else None,
            "prefsrc": str(item.source) if item.source is not None else None,
            "scope": item.scope,
            "proto": item.protocol,
            "type": _RTN_UNICAST,
            "table": _MAIN_TABLE,
            "flags": _RTNH_F_ONLINK if item.onlink else 0,
        }
    )


def _neighbour(item: Neighbour) -> dict[str, Any]:
    return {
        "family": socket.AF_INET,
        "ifindex": _index(item.link),
        "dst": str(item.address),
        "lladdr": item.mac,
        "state": PERMANENT,
    }


def _forwarding(item: Forwarding) -> dict[str, Any]:
    return {
        "ifindex": _index(item.link),
        "lladdr": item.mac,
        "dst": str(item.destination),
        "flags": _NTF_SELF,
        "state": PERMANENT | _NUD_NOARP,
    }


def _verb(change: Change) -> str:
    return "del" if isinstance(change, _DELETIONS) else "replace"


def _state(up: bool) -> str:
    return "up" if up else "down"


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise NotThere(errno.ENODEV, f"link {name}") from error


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}
