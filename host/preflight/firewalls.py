"""What firewalld accepts on this host, by `firewall-cmd`. ufw's rules are iptables' (rules.py)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final

from host.preflight.facts import Firewalld
from hull import programs
from hull.errors import ProgramFailed

_COMMAND: Final = "firewall-cmd"
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Zone:
    """As `firewall-cmd --list-all-zones` prints it."""

    accepts: bool = False
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def words(self, key: str) -> tuple[str, ...]:
        return self.values.get(key, ())


def firewalld(interface: str) -> Firewalld | None:
    """Its zone for the link with the node's address; None when it does not answer, or not to this user."""
    default, listing = _output("--get-default-zone"), _output("--list-all-zones")
    return parse(default.strip(), listing, interface) if default and listing else None


def parse(default: str, listing: str, interface: str) -> Firewalld:
    """From the default zone's name and the list of all zones. A link that no zone lists is in the default zone."""
    zones = dict(_zones(listing))
    name = next((name for name, zone in zones.items() if interface in zone.words("interfaces")), default)
    own = zones.get(name, _Zone())
    trusted = (source for zone in zones.values() if zone.accepts for source in zone.words("sources"))
    return Firewalld(
        zone="" if name == default else name,
        accepts=own.accepts,
        ports=frozenset(own.words("ports")),
        trusted=tuple(_networks(trusted)),
    )


def _zones(listing: str) -> Iterator[tuple[str, _Zone]]:
    """A zone is a paragraph: `public (active)`, then indented lines `ports: 4789/udp`."""
    for paragraph in listing.strip().split("\n\n"):
        head, *lines = paragraph.splitlines()
        pairs = (line.strip().partition(":") for line in lines)
        values = {key: tuple(text.split()) for key, _, text in pairs}
        yield head.split()[0], _Zone(values.get("target") == ("ACCEPT",), values)


def _networks(sources: Iterator[str]) -> Iterator[IPv4Network]:
    for source in sources:
        try:
            yield IPv4Network(source, strict=False)
        except ValueError:
            continue  # IPv6, a link's address, a set


def _output(option: str) -> str:
    if not shutil.which(_COMMAND):
        return ""
    try:
        return programs.run(_COMMAND, option, timeout_s=_TIMEOUT_S)
    except ProgramFailed:
        return ""
