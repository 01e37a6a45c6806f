"""iptables: a variant that works and that all programs use; foreign rules that drop packets between nodes."""

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
"""Matches a rule that does not apply to every packet."""
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
        problems = "; ".join(f"{name}: {rules.problem}" for name, rules in kernel.variants.items() if rules.problem)
        yield error(
            "iptables-rules",
            f"the kernel does not accept our rules: {problems or 'no variant of iptables works'}",
            "modprobe iptable_nat (legacy) or nf_tables nft_compat (nft), and the module of the match in the message",
        )
    others = [name for name, rules in kernel.variants.items() if name != kernel.chosen and rules.foreign]
    if others and chosen is not None:
        yield warning(
            "iptables-variant",
            f"both variants of iptables have rules, and every packet passes both: ours are in {kernel.chosen}, but "
            f"cannot accept connections to this host that {others[0]} drops",
            "use one variant only: update-alternatives --config iptables, then restart the programs that write rules",
        )
    for name, variant in kernel.variants.items():
        # ufw has a finding of its own (managers.py).
        rule = "" if "ufw" in facts.active else blocking(variant, f"{VXLAN_PORT}/udp")
        if rule:
            yield warning("vxlan-blocked", f"a rule here ({name}) seems to drop the overlay's packets: {rule}", _OPEN)


def blocking(variant: Rules, port: str) -> str:
    """The rule or policy that drops packets from other hosts to the port (`4789/udp`); empty for none.

    An estimate: rules with conditions on addresses, links or states are ignored.
    """
    lines = [line.removeprefix("filter: ") for line in variant.foreign if line.startswith("filter: ")]
    verdict = _verdict("INPUT", lines, port, frozenset())
    return next((line for line in lines if line.startswith(":INPUT DROP")), "") if verdict is None else verdict


def _verdict(chain: str, lines: Sequence[str], port: str, within: frozenset[str]) -> str | None:
    """The rule that drops; empty: accepted; None: the chain does not decide."""
    head = f"-A {chain} "
    for line in lines:
        if not line.startswith(head) or " -j " not in line or not _applies(line, len(head), port):
            continue
        target = line.split(" -j ")[-1].split()[0]
        if target == "RETURN":
            return None
        if target == "ACCEPT":
            return ""
        if target in ("DROP", "REJECT"):
            return line
        if target not in within:
            verdict = _verdict(target, lines, port, within | {chain})
            if verdict is not None:
                return verdict
    return None


def _applies(line: str, start: int, port: str) -> bool:
    """Whether the rule applies to every packet to this port."""
    number, _, port_protocol = port.partition("/")
    words = line[start - 1 :].partition("-j ")[0]
    if _CONDITIONS.search(words):
        return "-s " in words and f"--dport {number} " in words and "ACCEPT" in line
    protocol = re.search(r"-p (\S+)", words)
    if protocol and protocol[1] not in (port_protocol, "all"):
        return False
    ports = re.search(r"--dports? (\S+)", words)
    return ports is None or any(_within(int(number), entry) for entry in ports[1].split(","))


def _within(number: int, ports: str) -> bool:
    first, _, last = ports.partition(":")
    return int(first) <= number <= int(last or first)
