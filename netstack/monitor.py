"""DriftMonitor: reports that something of ours may have changed in the kernel, so that an audit is worthwhile.

It listens to the link, address, route and neighbour groups through pyroute2's IPRSocket, which an event loop can watch.
IPRSocket is the only class of the library that has neither a loop nor a socket for each thread, so it may be opened on
one thread and used on another. The monitor drops events that cannot concern us: neighbours of other links and the
routes of others. Of other links only the MTU matters, because the overlay's MTU follows the underlay's. rulesmonitor.py
reports changes of rules.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import struct
from types import TracebackType
from typing import Any, Final, Self

from netstack import namespaces
from netstack.namespaces import Where
from netstack.pods import is_host_link
from netstack.state import ROUTE_PROTOCOL

# RTMGRP_LINK, RTMGRP_NEIGH, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE
_GROUPS: Final = 0x1 | 0x4 | 0x10 | 0x40
_NLM_F_REPLACE: Final = 0x100
_SIOCGIFMTU: Final = 0x8921
# AF_BRIDGE: the forwarding entries of a VXLAN device. IPv6 neighbours of pods do not concern us.
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_BRIDGE})


class DriftMonitor:
    """Watches the namespace `where`. `fileno()` is readable when there is something to `drain()`."""

    def __init__(self, where: Where = None, *, owner: str = "sampan") -> None:
        self._where = where
        self._device = f"{owner}.vxlan"
        self._socket = namespaces.run_in(where, _open)
        self._indexes, self._mtus = self._links()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        return int(self._socket.fileno())

    def close(self) -> None:
        self._socket.close()

    def drain(self) -> bool:
        """Read all waiting events. Returns whether one of them may mean drift. Never blocks."""
        drifted = False
        while True:
            try:
                messages = self._socket.get()
            except BlockingIOError:
                return drifted
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                drifted = True  # events were lost: anything may have happened
                self._indexes, self._mtus = self._links()
                continue
            for message in messages:
                drifted = self._concerns(message) or drifted

    def _concerns(self, message: Any) -> bool:
        match message["event"]:
            case "RTM_NEWLINK" | "RTM_DELLINK":
                return self._link_concerns(message)
            case "RTM_DELADDR":
                return True
            case "RTM_NEWROUTE" | "RTM_DELROUTE":
                # When another route replaces one of ours, the kernel announces only the new route.
                replaced = bool(message["header"]["flags"] & _NLM_F_REPLACE)
                return replaced or bool(message["proto"] == ROUTE_PROTOCOL)
            case "RTM_NEWNEIGH" | "RTM_DELNEIGH":
                return message["ifindex"] in self._indexes and message["family"] in _FAMILIES
            case _:
                return False

    def _link_concerns(self, message: Any) -> bool:
        index, gone = message["index"], message["event"] == "RTM_DELLINK"
        if not self._ours(message.get("ifname") or ""):
            return self._resized(index, None if gone else message.get("mtu"))
        if gone:
            self._indexes.discard(index)
        else:
            self._indexes.add(index)
        return True

    def _resized(self, index: int, mtu: int | None) -> bool:
        """Whether a link of others changed its MTU. A flapping link is announced often without such a change."""
        before = self._mtus.pop(index, None)
        if mtu is not None:
            self._mtus[index] = mtu
        return mtu is not None and before is not None and mtu != before

    def _ours(self, name: str) -> bool:
        return name == self._device or is_host_link(name)

    def _links(self) -> tuple[set[int], dict[int, int]]:
        """The indexes of our links, and the MTUs of the others by index."""
        links = namespaces.run_in(self._where, _all_mtus)
        ours = {index for index, (name, _) in links.items() if self._ours(name)}
        return ours, {index: mtu for index, (_, mtu) in links.items() if index not in ours}


def _all_mtus() -> dict[int, tuple[str, int]]:
    """Name and MTU of each link by its index. Uses ioctl, because /sys may show another namespace."""
    links = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        for index, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # the link has just gone
                answer = fcntl.ioctl(control, _SIOCGIFMTU, struct.pack("16si12x", name.encode(), 0))
                links[index] = name, int(struct.unpack_from("=i", answer, 16)[0])
    return links


def _open() -> Any:
    # Imported here to save memory (see KernelNetwork). Our package first, as it keeps most of the library from loading.
    import netstack.netlink  # noqa: F401, I001
    from pyroute2.netlink.rtnl.iprsocket import IPRSocket

    opened = IPRSocket()
    opened.bind(groups=_GROUPS)
    opened.socket.setblocking(False)
    return opened
