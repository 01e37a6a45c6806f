"""Loss and one-way cuts as iptables rules: pure text, in one chain of ours at the head of raw PREROUTING.

A packet is lost where it is received, never where it is sent: a rule that drops on the way out tells the sender
(EPERM). A switch looks into the frames of its ports by bridge netfilter. Only IPv4 is lost: ARP always passes.
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
    """Input for iptables-restore: the whole chain anew, and the jump to it when it is not there."""
    jump = () if hooked else (f"-I PREROUTING 1 -j {CHAIN}",)
    return "\n".join(["*raw", f":{CHAIN} - [0:0]", *jump, *rules, "COMMIT", ""])


def _rules(end: End, kind: Kind, link: Link) -> list[str]:
    here = f"-m physdev --physdev-in {end.interface}" if kind is Kind.SWITCH else f"-i {end.interface}"
    if end.node in link.deaf:
        return [f"-A {CHAIN} {here} -j DROP"]
    if link.quality.loss > 0:
        return [f"-A {CHAIN} {here} -m statistic --mode random --probability {link.quality.loss:.6f} -j DROP"]
    return []
