"""The node's pool of pod addresses, kept as files; a kill between any two steps loses and doubles nothing.

`claims/<address>` holds the owner and appears by link(2): it is there complete, or not at all, and only one owner
gets it. `freed/<address>` holds a number that grows with each release: the address freed last is given out last, and
never-used ones go before all freed ones. Where both files exist the claim counts. One process at a time owns the
directory (the agent locks its state directory).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from netstack.errors import PoolExhausted

# The network's own address is the VTEP's; the next one is kept for a gateway of a backend with a bridge.
_RESERVED_FIRST: Final = 2
_RESERVED_LAST: Final = 1


class AddressPool:
    """Addresses of `network`, claimed by owners (any text without a line break)."""

    def __init__(self, directory: Path, network: IPv4Network) -> None:
        self._network = network
        self._claims = directory / "claims"
        self._freed = directory / "freed"
        self._scratch = directory / "scratch"
        self._claims.mkdir(parents=True, exist_ok=True)
        self._freed.mkdir(exist_ok=True)
        self._owners: dict[str, IPv4Address] = {}
        self._free: dict[IPv4Address, int] = {}
        self._load()

    def claims(self) -> Mapping[str, IPv4Address]:
        """Owner to address."""
        return dict(self._owners)

    def claim(self, owner: str) -> IPv4Address:
        """The owner's address: the one that it has, else a free one. Raises PoolExhausted."""
        if owner in self._owners:
            return self._owners[owner]
        self._scratch.write_text(owner)
        try:
            for address in self._candidates():
                if self._take(address):
                    self._owners[owner] = address
                    return address
        finally:
            self._scratch.unlink(missing_ok=True)
        raise PoolExhausted(f"all {len(self._owners)} addresses of {self._network} are claimed")

    def release(self, owner: str) -> None:
        """Give the owner's address back; an owner without one is fine."""
        address = self._owners.get(owner)
        if address is None:
            return
        number = max(self._free.values(), default=0) + 1
        self._scratch.write_text(str(number))
        self._scratch.rename(self._freed / str(address))
        (self._claims / str(address)).unlink(missing_ok=True)
        self._free[address] = number
        del self._owners[owner]

    def _take(self, address: IPv4Address) -> bool:
        try:
            os.link(self._scratch, self._claims / str(address))
        except FileExistsError:
            return False
        (self._freed / str(address)).unlink(missing_ok=True)
        self._free.pop(address, None)
        return True

    def _candidates(self) -> Iterator[IPv4Address]:
        taken = set(self._owners.values())
        first = int(self._network.network_address) + _RESERVED_FIRST
        last = int(self._network.broadcast_address) - _RESERVED_LAST
        for number in range(first, last + 1):
            address = IPv4Address(number)
            if address not in taken and address not in self._free:
                yield address
        yield from sorted(self._free, key=lambda address: self._free[address])

    def _load(self) -> None:
        """Read what is on disk. What a kill or a power cut left half done is completed or dropped."""
        self._scratch.unlink(missing_ok=True)
        for path, address in self._files(self._claims):
            owner = path.read_text()
            # Empty: the file's name reached the disk and its content did not. No sandbox outlives that.
            if not owner or owner in self._owners:
                path.unlink()
                continue
            self._owners[owner] = address
        claimed = set(self._owners.values())
        for path, address in self._files(self._freed):
            if address in claimed:
                # Killed between the two files of a claim or of a release: either way it is still claimed.
                path.unlink()
                continue
            text = path.read_text()
            self._free[address] = int(text) if text.isdigit() else 0

    def _files(self, directory: Path) -> Iterator[tuple[Path, IPv4Address]]:
        for path in sorted(directory.iterdir()):
            try:
                address = IPv4Address(path.name)
            except AddressValueError:
                path.unlink()
                continue
            if address in self._network:
                yield path, address
            else:
                path.unlink()  # of another pod CIDR, before the node was joined anew
