"""Programs that manage the host's network and may interfere: firewalld, ufw, NetworkManager, systemd-networkd."""

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
                f"{name} is active and not configured to leave the agent's links alone: it may remove their addresses",
                f"printf {escaped} > {snippet.path} && {' '.join(snippet.reload)}",
            )


def _firewalld(facts: Facts) -> Iterator[Finding]:
    """Its rules are in a table of its own, which iptables does not show: firewalld itself must accept our packets."""
    settings, pods = facts.firewalld or Firewalld(), facts.cidrs.cluster
    closed = [] if settings.accepts else [port for port in _ports(facts) if not _is_open(port, settings.ports)]
    distrusted = facts.role == AGENT and not any(pods.subnet_of(network) for network in settings.trusted)
    dropped = [*([", ".join(closed)] if closed else []), *(["packets forwarded from pods"] if distrusted else [])]
    if not dropped:
        return
    zone = f" --zone={settings.zone}" if settings.zone else ""
    changes = [f"firewall-cmd --permanent{zone} --add-port={port}" for port in closed]
    if distrusted:
        changes.append(f"firewall-cmd --permanent --zone=trusted --add-source={pods}")
    yield warning(
        "firewalld",
        f"firewalld is active, and drops {' and '.join(dropped)}",
        " && ".join([*changes, "firewall-cmd --reload"]),
    )


def _ufw(facts: Facts) -> Iterator[Finding]:
    """A chain of ours accepts packets forwarded to pods and from them; incoming packets must be accepted by ufw."""
    dropped = _ports(facts)
    if facts.kernel is not None:
        variants = facts.kernel.variants.values()
        dropped = [port for port in dropped if any(rules.blocking(variant, port) for variant in variants)]
    if dropped:
        yield warning(
            "ufw",
            f"ufw is active, and drops {', '.join(dropped)}",
            " && ".join(f"ufw allow {port}" for port in dropped),
        )


def _ports(facts: Facts) -> list[str]:
    """The ports that other hosts must reach here."""
    return [f"{rules.VXLAN_PORT}/udp"] if facts.role == AGENT else list(facts.ports)


def _is_open(port: str, opened: Collection[str]) -> bool:
    number, _, protocol = port.partition("/")
    for entry in opened:
        numbers, _, entry_protocol = entry.partition("/")
        first, _, last = numbers.partition("-")
        if entry_protocol == protocol and int(first) <= int(number) <= int(last or first):
            return True
    return False


def _id(manager: str) -> str:
    return {"NetworkManager": "networkmanager", "systemd-networkd": "networkd"}[manager]
