"""RulesMonitor: reports that nftables rules changed, so that ours are audited without delay.

iptables' nft variant writes its rules into nftables. The legacy variant announces no change, so rules have to be polled
as well. The monitor does not read whose rules changed, because a flush of all rules comes as thousands of messages.
"""

from __future__ import annotations

import errno
import socket
from types import TracebackType
from typing import Final, Self

from netstack import namespaces
from netstack.namespaces import Where

# From linux/netlink.h and linux/netfilter/nfnetlink.h.
_NETLINK_NETFILTER: Final = 12
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_NFNLGRP_NFTABLES: Final = 7


class RulesMonitor:
    """Watches the namespace `where`. `fileno()` is readable when there is something to `drain()`."""

    def __init__(self, where: Where = None) -> None:
        """Raises OSError if the kernel has no nftables to watch."""
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
        """Read all waiting events; returns whether there were any. Never blocks."""
        changed = False
        while True:
            try:
                self._socket.recv(1)  # the kernel drops the rest of the message
            except BlockingIOError:
                return changed
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # ENOBUFS: events were lost, so there were some
                    raise
            changed = True


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
