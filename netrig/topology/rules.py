"""Loss and one-way cuts as the text of iptables rules, in a chain of our own at the head of raw PREROUTING. Pure.

Packets are dropped where they are received: a rule that drops outgoing packets would report an error to the sender
(EPERM). A switch filters the frames of its ports by bridge netfilter. Only IPv4 is dropped: ARP always passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netrig.topology.model import End, Kind, Link

PREFIX: Final = "LAB-"
CHAIN: Final = f"{PREFIX}LINKS"
HOOK: Final = f"PREROUTING -j {CHAIN}"
SWITCH_SYSCTLS: Final = {"net/bridge/bridge-nf-call-iptables": "1"}


def lossy(node: str, kind: Kind, links: Iterable[Link]) -> tuple[str, ...]:
    """The rules of the node's chain."""
    return tuple(rule for link in links for end in link.ends if end.node == node for rule in _rules(end, kind, link))


def restore_text(rules: Iterable[str], *, hooked: bool) -> str:
    """Input for iptables-restore that replaces the whole chain; with the jump to it, unless it is `hooked` already."""
    jump = () if hooked else (f"-I PREROUTING 1 -j {CHAIN}",)
    return "\n".join(["*raw", f":{CHAIN} - [0:0]", *jump, *rules, "COMMIT", ""])


def _rules(end: End, kind: Kind, link: Link) -> list[str]:
    match = f"-m physdev --physdev-in {end.interface}" if kind is Kind.SWITCH else f"-i {end.interface}"
    if end.node in link.deaf:
        return [f"-A {CHAIN} {match} -j DROP"]
    if link.quality.loss > 0:
        return [f"-A {CHAIN} {match} -m statistic --mode random --probability {link.quality.loss:.6f} -j DROP"]
    return []
