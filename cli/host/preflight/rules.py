"""iptables: a variant that works and that everybody uses; rules of others that drop what nodes send each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cli.host.preflight.facts import AGENT, Facts
from cli.host.preflight.finding import Finding, error, warning

VXLAN_PORT: Final = 4789
_OPEN: Final = f"iptables -I INPUT -p udp --dport {VXLAN_PORT} -s NODES -j ACCEPT, with the nodes' network for NODES"


def judge(facts: Facts) -> Iterator[Finding]:
    kernel = facts.kernel
    if facts.role != AGENT or kernel is None:
        return
    if not kernel.variants:
        yield error("iptables", "iptables is not installed", "apt-get install iptables")
        return
    chosen = kernel.variants.get(kernel.chosen)
    if chosen is None or chosen.problem:
        problems = "; ".join(f"{name}: {each.problem}" for name, each in kernel.variants.items() if each.problem)
        yield error(
            "iptables-rules",
            f"the kernel does not take our rules: {problems or 'no variant of iptables works'}",
            "modprobe iptable_nat (legacy) or nf_tables nft_compat (nft), and the match or target that is named",
        )
    others = [name for name, each in kernel.variants.items() if name != kernel.chosen and each.foreign]
    if others and chosen is not None:
        yield warning(
            "iptables-variant",
            f"both variants of iptables have rules, and every packet meets both: ours go to {kernel.chosen}, and what "
            f"{others[0]} drops of connections to this host is dropped whatever ours say",
            "use one variant for everything: update-alternatives --config iptables, then restart what writes rules",
        )
    for name, variant in kernel.variants.items():
        lines = [line.removeprefix("filter: ") for line in variant.foreign if line.startswith("filter: ")]
        if seen := drops_overlay(lines):
            yield warning("vxlan-blocked", f"rules here ({name}) seem to drop the overlay's packets: {seen}", _OPEN)


def drops_overlay(lines: list[str]) -> str:
    """The rule or policy that UDP 4789 coming in meets first and is dropped by, as far as one can tell; else empty.

    Rules with conditions on addresses, links or states are passed over; other chains are not followed.
    """
    policy = next((line for line in lines if line.startswith(":INPUT DROP")), "")
    for line in (line for line in lines if line.startswith("-A INPUT ")):
        verdict = line.split(" -j ")[-1].split()[0] if " -j " in line else ""
        if not _meets(line) or verdict not in ("ACCEPT", "DROP", "REJECT"):
            continue
        return "" if verdict == "ACCEPT" else line
    return policy


def _meets(line: str) -> bool:
    """Whether every UDP packet to the port meets this rule."""
    words = line.partition("-A INPUT ")[2].partition("-j ")[0]
    if re.search(r"(^| )(-s|-d|-i|!) |--ctstate|--state|-m set|--mark|--sport", words):
        return "-s " in words and f"--dport {VXLAN_PORT}" in words and "ACCEPT" in line
    protocol = re.search(r"-p (\S+)", words)
    if protocol and protocol[1] not in ("udp", "all"):
        return False
    if "--dports" in words:
        return str(VXLAN_PORT) in re.split(r"[ ,]", words)
    port = re.search(r"--dport (\d+)(?::(\d+))?", words)
    return port is None or int(port[1]) <= VXLAN_PORT <= int(port[2] or port[1])
