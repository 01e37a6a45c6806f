"""resolv.conf(5): its content as a value, and the one of this host.

Reads two files of the host and decides nothing about pods (pods/dns.py).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEMD: Final = Path("/run/systemd/resolve/resolv.conf")
"""The resolvers behind systemd-resolved, whose own address, 127.0.0.53, only the host reaches."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """Addresses of resolvers, domains that short names are searched in, and options such as `ndots:5`."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The content of the file."""
        lines = [f"search {' '.join(self.searches)}"] if self.searches else []
        lines += [f"nameserver {address}" for address in self.nameservers]
        lines += [f"options {' '.join(self.options)}"] if self.options else []
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> ResolvConf:
    """What the lines mean. Of several lines of search domains the last one counts; what cannot be read is left out."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        match line.partition("#")[0].partition(";")[0].split():
            case ["nameserver", address, *_] if _is_address(address):
                nameservers.append(address)
            case ["search", *domains]:
                # As in the kubelet: with and without a final dot it is the same domain. Only the root keeps it.
                searches = [domain.removesuffix(".") or "." for domain in domains]
            case ["domain", domain, *_]:
                searches = [domain]
            case ["options", *words]:
                options += words
    return ResolvConf(tuple(nameservers), tuple(searches), tuple(options))


def of_host(path: Path, systemd: Path = SYSTEMD) -> ResolvConf:
    """The host's, whose resolvers the host itself reaches: they may be loopback addresses. Empty without a file."""
    own = parse(_read(path))
    if own.nameservers and all(map(is_loopback, own.nameservers)):
        behind = parse(_read(systemd))
        # The file exists only where systemd-resolved runs; another resolver may be in use all the same.
        if "127.0.0.53" in own.nameservers and behind.nameservers:
            return behind
    return own


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
