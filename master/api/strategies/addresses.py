"""Which cluster IP a service gets that asks for none.

Nodes search their rules by blocks of 64 addresses, so the addresses in use lie close together: they come from the
lowest blocks, as few as leave some free. Among these the one that has been free for longest is taken, so that the
address freed last is given out last: a node that lags must not send a dead service's traffic to a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network

_BLOCK = 64
# With fewer free addresses to choose from the next block is begun.
_FREE = 32
# Kubernetes' places in the range: its own service, and DNS by custom.
_OWN, _DNS = 1, 10


class ClusterAddresses:
    """Hands out the addresses of one range. Who holds them is asked; remembered is only when one was seen held."""

    def __init__(self, network: IPv4Network) -> None:
        self._network = network
        self._turn = 0
        # The turn in which an address was last seen held; at most one entry an address of the blocks in use.
        self._held: dict[int, int] = {}

    def next(self, taken: Callable[[str], bool]) -> str | None:
        """A free address, or None when there is none. The reserved ones are never handed out."""
        self._turn += 1
        window: list[int] = []
        for block in range(0, self._network.num_addresses, _BLOCK):
            window += self._free(block, taken)
            if len(window) >= _FREE:
                break
        if not window:
            return None
        number = min(window, key=lambda number: (self._held.get(number, 0), number))
        self._held[number] = self._turn
        return self._text(number)

    def _free(self, block: int, taken: Callable[[str], bool]) -> Iterator[int]:
        # First and last address of a network are nobody's.
        end = min(block + _BLOCK, self._network.num_addresses - 1)
        for number in range(max(block, 1), end):
            if number in (_OWN, _DNS):
                continue
            if taken(self._text(number)):
                self._held[number] = self._turn
            else:
                yield number

    def _text(self, number: int) -> str:
        return str(IPv4Address(int(self._network.network_address) + number))
