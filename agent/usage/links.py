"""What has passed the links of this host: the text of /proc/net/dev (proc(5)). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.usage.figures import Counters, Traffic

_COLUMNS: Final = 16
_SENT: Final = 8
"""The first column of what was sent."""


def traffic(text: bytes) -> dict[str, Traffic]:
    """The traffic of each link, by name."""
    return dict(_links(text))


def default_link(text: bytes) -> str:
    """The link of the IPv4 default route with the lowest metric, by the text of /proc/net/route; empty without one."""
    routes = [line.split() for line in text.splitlines()[1:]]
    defaults = [(int(route[6]), route[0]) for route in routes if len(route) > 7 and route[1] == route[7] == b"00000000"]
    return min(defaults)[1].decode() if defaults else ""


def _links(text: bytes) -> Iterator[tuple[str, Traffic]]:
    for line in text.splitlines():
        name, colon, rest = line.rpartition(b":")
        values = rest.split()
        if colon and len(values) >= _COLUMNS:
            numbers = [int(value) for value in values]
            yield name.strip().decode(), Traffic(Counters(*numbers[:4]), Counters(*numbers[_SENT : _SENT + 4]))
