"""The node's pool of pod addresses, kept as files. A kill at any moment neither loses an address nor assigns one twice.

`claims/<address>` holds the owner. link(2) creates it, so it appears complete or not at all, and only one owner gets
the address. `freed/<address>` holds a number that grows with each release: the address that was freed last is assigned
last, and addresses that were never used come before freed ones. If both files exist, the claim counts. Only one process
at a time uses the directory (the agent locks its state directory).

A claim carries a checksum. A damaged claim still shows that the address has an owner. The pool reserves the address, so
that no second pod gets it, until `hold` names the owner or a person removes the file.
"""

from __future__ import annotations

import logging
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from netstack.errors import PoolExhausted

# The VTEP has the network's own address. The next one is reserved for the gateway of a backend with a bridge.
_RESERVED_FIRST: Final = 2
_RESERVED_LAST: Final = 1

logger = logging.getLogger(__name__)


class AddressPool:
    """The addresses of `network`. Their owners are named by any text without a line break."""

    def __init__(self, directory: Path, network: IPv4Network) -> None:
        self._network = network
        self._claims = directory / "claims"
        self._freed = directory / "freed"
        self._scratch = directory / "scratch"
        self._claims.mkdir(parents=True, exist_ok=True)
        self._freed.mkdir(exist_ok=True)
        self._owners: dict[str, IPv4Address] = {}
        self._free: dict[IPv4Address, int] = {}
        self._held: set[IPv4Address] = set()
        self._load()

    def claims(self) -> Mapping[str, IPv4Address]:
        """The claimed addresses by owner."""
        return dict(self._owners)

    def hold(self, owner: str, address: IPv4Address) -> None:
        """Record the owner of an address whose claim is damaged."""
        if address in self._held and owner not in self._owners:
            path = self._claims / str(address)
            if path.is_dir():
                _discard(path)
            self._scratch.write_text(_claim(owner))
            self._scratch.rename(path)
            self._held.remove(address)
            self._owners[owner] = address

    def claim(self, owner: str) -> IPv4Address:
        """The owner's address: the one that it has already, or a free one. Raises PoolExhausted."""
        if owner in self._owners:
            return self._owners[owner]
        self._scratch.write_text(_claim(owner))
        try:
            for address in self._candidates():
                if self._take(address):
                    self._owners[owner] = address
                    return address
        finally:
            self._scratch.unlink(missing_ok=True)
        raise PoolExhausted(f"all {len(self._owners)} addresses of {self._network} are claimed")

    def release(self, owner: str) -> None:
        """Return the owner's address to the pool. Does nothing for an owner without an address."""
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
        taken = self._held | set(self._owners.values())
        first = int(self._network.network_address) + _RESERVED_FIRST
        last = int(self._network.broadcast_address) - _RESERVED_LAST
        for number in range(first, last + 1):
            address = IPv4Address(number)
            if address not in taken and address not in self._free:
                yield address
        yield from sorted(self._free, key=lambda address: self._free[address])

    def _load(self) -> None:
        """Read the files; complete or drop whatever a kill or a power cut left half done."""
        self._scratch.unlink(missing_ok=True)
        for path, address in self._files(self._claims):
            content = _content(path)
            # Empty: a power cut lost the content but not the name. No sandbox survives a power cut.
            if content == b"":
                path.unlink()
                continue
            owner = _owner(content)
            if owner is None:
                logger.error("%s: the claim is damaged; its address stays reserved until the file is removed", path)
                self._held.add(address)
            elif owner in self._owners:
                path.unlink()
            else:
                self._owners[owner] = address
        claimed = self._held | set(self._owners.values())
        for path, address in self._files(self._freed):
            if address in claimed:
                # Killed between the two steps of a claim or of a release: in both cases it is still claimed.
                path.unlink()
                continue
            text = _content(path)
            if text is None:
                _discard(path)
                continue
            self._free[address] = int(text) if text.isdigit() else 0

    def _files(self, directory: Path) -> Iterator[tuple[Path, IPv4Address]]:
        for path in sorted(directory.iterdir()):
            try:
                address = IPv4Address(path.name)
            except AddressValueError:
                _discard(path)
                continue
            if address in self._network:
                yield path, address
            else:
                _discard(path)  # from the node's pod CIDR before it joined again


def _claim(owner: str) -> str:
    return f"{owner}\n{zlib.crc32(owner.encode()):08x}"


def _owner(content: bytes | None) -> str | None:
    """None for a damaged claim, and for content that is not a claim."""
    try:
        owner, _, total = (content or b"").decode().partition("\n")
    except UnicodeDecodeError:
        return None
    return owner if owner and total == f"{zlib.crc32(owner.encode()):08x}" else None


def _content(path: Path) -> bytes | None:
    """None for a file that cannot be read, and for anything that is not a file."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _discard(path: Path) -> None:
    """Remove a file or a whole directory."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
