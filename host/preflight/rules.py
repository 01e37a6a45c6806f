"""iptables: a variant that works and that everybody uses; rules of others that drop what nodes send each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from agent.survey import Rules
from host.preflight.facts import AGENT, Facts
from host.preflight.finding import Finding, error, warning

VXLAN_PORT: Final = 4789
_CONDITIONS: Final = re.compile(
    r"(^| )(-s|-d|-i|!) |--ctstate|--state|-m (set|limit|recent|icmp) |--mark|--sport|--dst-type (?!LOCAL)|--tcp-flags"
)
"""Of a rule that not every packet meets."""
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
        # Of what ufw drops, its own finding tells (managers.py).
        seen = "" if "ufw" in facts.active else blocking(variant, f"{VXLAN_PORT}/udp")
        if seen:
            yield warning("vxlan-blocked", f"rules here ({name}) seem to drop the overlay's packets: {seen}", _OPEN)


def blocking(variant: Rules, port: str) -> str:
    """The rule or policy that a packet from another host to the port (`4789/udp`) meets first and is dropped by, as
    far as one can tell; else empty.

    Rules with conditions on addresses, links or states are passed over.
    """
    lines = [line.removeprefix("filter: ") for line in variant.foreign if line.startswith("filter: ")]
    verdict = _verdict("INPUT", lines, port, frozenset())
    return next((line for line in lines if line.startswith(":INPUT DROP")), "") if verdict is None else verdict


def _verdict(chain: str, lines: Sequence[str], port: str, within: frozenset[str]) -> str | None:
    """The rule that drops; empty: accepted; None: the chain says nothing."""
    head = f"-A {chain} "
    for line in lines:
        if not line.startswith(head) or " -j " not in line or not _meets(line, len(head), port):
            continue
        target = line.split(" -j ")[-1].split()[0]
        if target == "RETURN":
            return None
        if target == "ACCEPT":
            return ""
        if target in ("DROP", "REJECT"):
            return line
        if target not in within:
            found = _verdict(target, lines, port, within | {chain})
            if found is not None:
                return found
    return None


def _meets(line: str, start: int, port: str) -> bool:
    """Whether every such packet meets this rule."""
    number, _, wanted = port.partition("/")
    words = line[start - 1 :].partition("-j ")[0]
    if _CONDITIONS.search(words):
        return "-s " in words and f"--dport {number} " in words and "ACCEPT" in line
    protocol = re.search(r"-p (\S+)", words)
    if protocol and protocol[1] not in (wanted, "all"):
        return False
    ports = re.search(r"--dports? (\S+)", words)
    return ports is None or any(_within(int(number), each) for each in ports[1].split(","))


def _within(number: int, ports: str) -> bool:
    first, _, last = ports.partition(":")
    return int(first) <= number <= int(last or first)
