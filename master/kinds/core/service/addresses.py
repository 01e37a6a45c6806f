"""Allocation of cluster IPs for services that do not request one.

Nodes group their rules by blocks of 64 addresses, so the addresses in use should be close together. They are taken from
the lowest blocks, from as few as leave some addresses free. Among these addresses, the one that has been free for the
longest time is taken: a node that lags behind must not send a deleted service's traffic to another service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network

_BLOCK = 64
# With fewer free addresses than this, the next block is used too.
_FREE = 32
# Reserved positions in the range: the `kubernetes` service, and DNS by convention.
_OWN, _DNS = 1, 10


class ClusterAddresses:
    """Allocates the addresses of one range.

    The caller knows which addresses are taken. This object only remembers when it last saw an address taken.
    """

    def __init__(self, network: IPv4Network) -> None:
        self._network = network
        self._turn = 0
        # The turn in which an address was last seen taken. At most one entry per address of the blocks in use.
        self._last_taken: dict[int, int] = {}

    def next(self, taken: Callable[[str], bool]) -> str | None:
        """A free address, or None when all are taken. Never returns a reserved one."""
        self._turn += 1
        window: list[int] = []
        for block in range(0, self._network.num_addresses, _BLOCK):
            window += self._free(block, taken)
            if len(window) >= _FREE:
                break
        if not window:
            return None
        number = min(window, key=lambda number: (self._last_taken.get(number, 0), number))
        self._last_taken[number] = self._turn
        return self._text(number)

    def _free(self, block: int, taken: Callable[[str], bool]) -> Iterator[int]:
        # The first and the last address of a network are not usable.
        end = min(block + _BLOCK, self._network.num_addresses - 1)
        for number in range(max(block, 1), end):
            if number in (_OWN, _DNS):
                continue
            if taken(self._text(number)):
                self._last_taken[number] = self._turn
            else:
                yield number

    def _text(self, number: int) -> str:
        return str(IPv4Address(int(self._network.network_address) + number))
