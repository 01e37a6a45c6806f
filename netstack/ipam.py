"""The node's pool of pod addresses, kept as files; a kill between any two steps loses and doubles nothing.

`claims/<address>` holds the owner and appears by link(2): it is there complete, or not at all, and only one owner
gets it. `freed/<address>` holds a number that grows with each release: the address freed last is given out last, and
never-used ones go before all freed ones. Where both files exist the claim counts. One process at a time owns the
directory (the agent locks its state directory).

A claim carries a checksum. One that is damaged still says that the address is somebody's: it is held back, so that no
second pod gets it, until its owner is known again (`hold`) or a person removes the file.
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

# The network's own address is the VTEP's; the next one is kept for a gateway of a backend with a bridge.
_RESERVED_FIRST: Final = 2
_RESERVED_LAST: Final = 1

logger = logging.getLogger(__name__)


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
        self._held: set[IPv4Address] = set()
        self._load()

    def claims(self) -> Mapping[str, IPv4Address]:
        """Owner to address."""
        return dict(self._owners)

    def hold(self, owner: str, address: IPv4Address) -> None:
        """Tell whose the address is, when the claim itself cannot say it any more."""
        if address in self._held and owner not in self._owners:
            path = self._claims / str(address)
            if path.is_dir():
                _discard(path)
            self._scratch.write_text(_claim(owner))
            self._scratch.rename(path)
            self._held.remove(address)
            self._owners[owner] = address

    def claim(self, owner: str) -> IPv4Address:
        """The owner's address: the one that it has, else a free one. Raises PoolExhausted."""
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
        taken = self._held | set(self._owners.values())
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
            content = _content(path)
            # Empty: the file's name reached the disk and its content did not. No sandbox outlives that.
            if content == b"":
                path.unlink()
                continue
            owner = _owner(content)
            if owner is None:
                logger.error("%s: damaged: the address is given to nobody until this is removed", path)
                self._held.add(address)
            elif owner in self._owners:
                path.unlink()
            else:
                self._owners[owner] = address
        claimed = self._held | set(self._owners.values())
        for path, address in self._files(self._freed):
            if address in claimed:
                # Killed between the two files of a claim or of a release: either way it is still claimed.
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
                _discard(path)  # of another pod CIDR, before the node was joined anew


def _claim(owner: str) -> str:
    return f"{owner}\n{zlib.crc32(owner.encode()):08x}"


def _owner(content: bytes | None) -> str | None:
    """None for what is no claim, or a damaged one."""
    try:
        owner, _, total = (content or b"").decode().partition("\n")
    except UnicodeDecodeError:
        return None
    return owner if owner and total == f"{zlib.crc32(owner.encode()):08x}" else None


def _content(path: Path) -> bytes | None:
    """None for what is no file, or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _discard(path: Path) -> None:
    """Whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
