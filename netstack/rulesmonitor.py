"""RulesMonitor: tells that nftables' rules changed, so that ours are looked at without delay.

The rules of iptables' nft variant are nftables'; the legacy variant announces nothing, so rules have to be polled all
the same. Whose rules changed is not read: a flush of everybody's comes as thousands of messages.
"""

from __future__ import annotations

import errno
import socket
from types import TracebackType
from typing import Final, Self

from netstack import namespaces
from netstack.namespaces import Where

# Of linux/netlink.h and linux/netfilter/nfnetlink.h.
_NETLINK_NETFILTER: Final = 12
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_NFNLGRP_NFTABLES: Final = 7


class RulesMonitor:
    """Watches the namespace `where`. `fileno()` is readable when there is something to `drain()`."""

    def __init__(self, where: Where = None) -> None:
        """Raises OSError where the kernel has no nftables to tell of."""
        self._socket = namespaces.run_in(where, _open)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self) -> bool:
        """Take all waiting events; whether there was one. Never blocks."""
        seen = False
        while True:
            try:
                self._socket.recv(1)  # of a message the rest is dropped
            except BlockingIOError:
                return seen
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # some were lost, and this tells of it
                    raise
            seen = True


def _open() -> socket.socket:
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER
    )
    try:
        opened.bind((0, 0))
        opened.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
    except BaseException:
        opened.close()
        raise
    return opened
