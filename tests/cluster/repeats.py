"""Which messages a process has logged again and again, whatever numbers, ids and addresses were in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_TIME = re.compile(r"^\S+T\S+ ")
_CHANGING = re.compile(
    r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4,})+(?:-\d+)?\b"  # uids, container ids, ids of sessions
    r"|(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,}"  # IPv6 and MAC addresses
    r"|(?<![\w-])\d+(?:[.:/]\d+)*"  # numbers, IPv4 addresses, ports, prefixes; a name like node1 stays
)


def masked(line: str) -> str:
    """The message without its time, and with `#` for what differs each time. Objects' names stay: a message about
    another object is another message."""
    return _CHANGING.sub("#", _TIME.sub("", line))


def repeated(lines: Iterable[str], most: float) -> dict[str, int]:
    """The messages that were logged more often than that, and how often."""
    return {message: times for message, times in Counter(map(masked, lines)).items() if times > most}
