"""Reads kernel state through pyroute2 and converts it to our values.

All functions run on a Connection's thread. They look up names of links in the C library, which uses the namespace of
the calling thread. This takes microseconds, where pyroute2 decodes a whole link in 0.2 ms.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

from pyroute2.iproute.linux import AsyncIPRoute
from pyroute2.netlink import NLM_F_DUMP_INTR
from pyroute2.netlink.exceptions import NetlinkError

from netstack.errors import KernelBusy
from netstack.state import PERMANENT, Address, Forwarding, Link, Neighbour, Route, Snapshot, Vxlan

# A decoded message; it never leaves this module.
Message = Any

_DUMP_TRIES: Final = 5
_IFF_UP: Final = 1
_MAIN_TABLE: Final = 254
_RTN_UNICAST: Final = 1
_RTNH_F_ONLINK: Final = 4


class Names(dict[int, str]):
    """Names of links by index, looked up once; empty for a link that is gone."""

    def __missing__(self, index: int) -> str:
        try:
            name = socket.if_indextoname(index)
        except OSError:
            name = ""
        self[index] = name
        return name


async def links(route: AsyncIPRoute) -> tuple[Link, ...]:
    messages = await _dump(lambda: route.link("dump"))
    names = Names({message["index"]: message.get("ifname") for message in messages})
    return tuple(_link(message, names) for message in messages)


async def link(route: AsyncIPRoute, name: str) -> Link | None:
    try:
        (message,) = await route.link("get", index=socket.if_nametoindex(name))
    except OSError:
        return None
    except NetlinkError as error:
        if error.code == errno.ENODEV:  # the link went away after its name was looked up
            return None
        raise
    return _link(message, Names())


async def addresses(route: AsyncIPRoute, names: Names) -> tuple[Address, ...]:
    messages = await _dump(lambda: route.addr("dump", family=socket.AF_INET))
    return tuple(
        Address(name, IPv4Interface((message.get("local"), message["prefixlen"])))
        for message in messages
        if (name := names[message["index"]])
    )


async def routes(route: AsyncIPRoute, names: Names, protocol: int) -> tuple[Route, ...]:
    # With `dump_filter` None the kernel filters by these fields; otherwise pyroute2 does, after decoding everything.
    fields = {"proto": protocol, "type": _RTN_UNICAST, "table": _MAIN_TABLE}
    messages = await _dump(lambda: route.route("dump", family=socket.AF_INET, dump_filter=None, **fields))
    return tuple(_route(message, names) for message in messages if message.get("oif") is not None)


async def neighbours(route: AsyncIPRoute, names: Names) -> tuple[Neighbour, ...]:
    messages = await _dump(lambda: route.neigh("dump", family=socket.AF_INET))
    return tuple(
        Neighbour(name, IPv4Address(message.get("dst")), mac, permanent=bool(message["state"] & PERMANENT))
        for message in messages
        if (mac := message.get("lladdr")) and (name := names[message["ifindex"]])
    )


async def forwardings(route: AsyncIPRoute, names: Names) -> tuple[Forwarding, ...]:
    messages = await _dump(lambda: route.fdb("dump"))
    return tuple(
        Forwarding(name, message.get("lladdr"), IPv4Address(destination))
        for message in messages
        # Only a VXLAN device's entries have a destination.
        if (destination := message.get("dst")) and ":" not in destination and (name := names[message["ifindex"]])
    )


async def snapshot(route: AsyncIPRoute, protocol: int) -> Snapshot:
    names = Names(socket.if_nameindex())
    # Links last: if one goes away meanwhile (its sandbox ended), it is absent, not present without its entries.
    return Snapshot(
        routes=await routes(route, names, protocol),
        forwardings=await forwardings(route, names),
        neighbours=await neighbours(route, names),
        addresses=await addresses(route, names),
        links=await links(route),
    )


async def _dump(ask: Callable[[], Awaitable[AsyncIterator[Message]]]) -> list[Message]:
    """All messages of a dump. Repeats it if the kernel says that the list changed meanwhile, which pyroute2 ignores."""
    for _ in range(_DUMP_TRIES):
        messages = [message async for message in await ask()]
        if not any(message["header"]["flags"] & NLM_F_DUMP_INTR for message in messages):
            return messages
    raise KernelBusy("the netlink dump was interrupted repeatedly")


def _link(message: Message, names: Names) -> Link:
    info = message.get("linkinfo")
    kind = (info.get("kind") or "") if info is not None else ""
    master = message.get("master")
    return Link(
        index=message["index"],
        name=message.get("ifname"),
        kind=kind,
        mac=message.get("address") or "",
        mtu=message.get("mtu") or 0,
        up=bool(message["flags"] & _IFF_UP),
        master=names[master] if master else "",
        vxlan=_vxlan(info.get("data")) if kind == "vxlan" else None,
    )


def _vxlan(data: Message) -> Vxlan:
    local = data.get("vxlan_local")
    return Vxlan(
        vni=data.get("vxlan_id") or 0,
        local=IPv4Address(local) if local else None,
        port=data.get("vxlan_port") or 0,
        learning=bool(data.get("vxlan_learning")),
    )


def _route(message: Message, names: Names) -> Route:
    gateway, source = message.get("gateway"), message.get("prefsrc")
    return Route(
        destination=IPv4Network((message.get("dst") or "0.0.0.0", message["dst_len"])),
        link=names[message.get("oif")],
        gateway=IPv4Address(gateway) if gateway else None,
        source=IPv4Address(source) if source else None,
        scope=message["scope"],
        onlink=bool(message["flags"] & _RTNH_F_ONLINK),
        protocol=message["proto"],
    )
