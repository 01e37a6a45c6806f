"""DriftMonitor: tells that something of ours may have changed in the kernel, so that an audit is worth its while.

pyroute2's IPRSocket on the link, address, route and neighbour groups, for an event loop to watch: the one class of
the library without a loop, and without a socket for each thread, so it may be opened on one and used on another.
Events that cannot concern us (neighbours of other links, others' routes) are dropped here; of other links only the
MTU concerns us, as the overlay's follows the underlay's. Of rules tells rulesmonitor.py.
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
# Addresses, and the forwarding entries of a VXLAN device. Pods' own IPv6 chatter is not ours.
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
        """Take all waiting events; whether one of them may mean drift. Never blocks."""
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
                # Replacing a route of ours with another one is announced as that other one only.
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
        """Whether a link of others has another MTU than it had: a flapping one is announced often, and has not."""
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
    """Name and MTU of each link by its index. Asked by ioctl: /sys may be of another namespace."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asker:
        for index, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has just gone
                answer = fcntl.ioctl(asker, _SIOCGIFMTU, struct.pack("16si12x", name.encode(), 0))
                found[index] = name, int(struct.unpack_from("=i", answer, 16)[0])
    return found


def _open() -> Any:
    # Here, not above: see KernelNetwork. Our package first: it sees to it that little of the library is loaded.
    import netstack.netlink  # noqa: F401, I001
    from pyroute2.netlink.rtnl.iprsocket import IPRSocket

    opened = IPRSocket()
    opened.bind(groups=_GROUPS)
    opened.socket.setblocking(False)
    return opened
