"""Programs that manage the host's network and would meddle: firewalld, ufw, NetworkManager, systemd-networkd."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator

from host.preflight import rules
from host.preflight.facts import AGENT, Facts, Firewalld
from host.preflight.finding import Finding, warning
from host.services.snippets import SNIPPETS


def judge(facts: Facts) -> Iterator[Finding]:
    if facts.role == AGENT:
        yield from _managers(facts)
    if "firewalld" in facts.active:
        yield from _firewalld(facts)
    if "ufw" in facts.active:
        yield from _ufw(facts)


def _managers(facts: Facts) -> Iterator[Finding]:
    for name, snippet in SNIPPETS.items():
        if name in facts.active and name not in facts.left_alone:
            escaped = shlex.quote(snippet.content.replace("\n", "\\n"))
            yield warning(
                _id(name),
                f"{name} runs and is not told to leave the agent's links alone: it may take their addresses away",
                f"printf {escaped} > {snippet.path} && {' '.join(snippet.reload)}",
            )


def _firewalld(facts: Facts) -> Iterator[Finding]:
    """Its rules are a table of its own, of which iptables knows nothing: what it lets in it must say itself."""
    told, pods = facts.firewalld or Firewalld(), facts.cidrs.cluster
    closed = [] if told.accepts else [each for each in _ports(facts) if not _is_open(each, told.ports)]
    distrusted = facts.role == AGENT and not any(pods.subnet_of(each) for each in told.trusted)
    what = [*([", ".join(closed)] if closed else []), *(["what is forwarded from pods"] if distrusted else [])]
    if not what:
        return
    zone = f" --zone={told.zone}" if told.zone else ""
    changes = [f"firewall-cmd --permanent{zone} --add-port={each}" for each in closed]
    if distrusted:
        changes.append(f"firewall-cmd --permanent --zone=trusted --add-source={pods}")
    yield warning(
        "firewalld",
        f"firewalld runs, and drops {' and '.join(what)}",
        " && ".join([*changes, "firewall-cmd --reload"]),
    )


def _ufw(facts: Facts) -> Iterator[Finding]:
    """What is forwarded to pods and from them passes by a chain of ours; what comes in is ufw's to let in."""
    wanted = _ports(facts)
    if facts.kernel is not None:
        variants = facts.kernel.variants.values()
        wanted = [each for each in wanted if any(rules.blocking(variant, each) for variant in variants)]
    if wanted:
        yield warning(
            "ufw", f"ufw is active, and drops {', '.join(wanted)}", " && ".join(f"ufw allow {each}" for each in wanted)
        )


def _ports(facts: Facts) -> list[str]:
    """What others must reach here."""
    return [f"{rules.VXLAN_PORT}/udp"] if facts.role == AGENT else list(facts.ports)


def _is_open(port: str, opened: Collection[str]) -> bool:
    number, _, protocol = port.partition("/")
    for each in opened:
        numbers, _, of = each.partition("/")
        first, _, last = numbers.partition("-")
        if of == protocol and int(first) <= int(number) <= int(last or first):
            return True
    return False


def _id(manager: str) -> str:
    return {"NetworkManager": "networkmanager", "systemd-networkd": "networkd"}[manager]
