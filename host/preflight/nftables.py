"""Native rules of nftables, which iptables does not show: what they drop, by `nft -j list ruleset`.

An accept in one table does not undo a drop in another, so the agent's rules cannot help against these. The result is an
estimate: jumps are followed within the same table only, and rules with conditions on other things than ports and
networks are ignored. The form of the JSON is in libnftables-json(5).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network
from typing import Any, Final

from host.preflight.facts import AGENT, BaseChain, Facts
from host.preflight.finding import Finding, warning
from hull import programs
from hull.errors import ProgramFailed

_COMMAND: Final = ("nft", "-j", "list", "ruleset")
_TIMEOUT_S: Final = 10.0
_FAMILIES: Final = frozenset({"ip", "inet"})
_OF_IPTABLES: Final = frozenset({"filter", "nat", "mangle", "raw", "security"})
_OF_OTHERS: Final = frozenset({"firewalld"})
"""Tables that firewalls.py reads in another way."""
_ANY: Final = IPv4Network("0.0.0.0/0")
_KEPT: Final = "# and in /etc/nftables.conf, or it is lost at the next boot"

Json = dict[str, Any]


def read() -> tuple[BaseChain, ...]:
    """The chains that drop; none without `nft`, or without permission to ask."""
    if not shutil.which(_COMMAND[0]):
        return ()
    try:
        return parse(programs.run(*_COMMAND, timeout_s=_TIMEOUT_S))
    except (ProgramFailed, ValueError, KeyError, TypeError):
        return ()


def parse(text: str) -> tuple[BaseChain, ...]:
    """From the whole ruleset. Raises ValueError, KeyError, TypeError for anything else."""
    entries: list[Json] = json.loads(text)["nftables"]
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    chains = []
    for chain in (entry["chain"] for entry in entries if "chain" in entry):
        if chain.get("hook") not in ("input", "forward") or chain.get("type") != "filter" or not _is_native(chain):
            continue
        of_table = [rule for rule in rules if (rule["family"], rule["table"]) == (chain["family"], chain["table"])]
        own = [rule["expr"] for rule in of_table if rule["chain"] == chain["name"]]
        if drops := _drops(chain, own):
            reached = _reached(chain["name"], of_table)
            accepts = [rule for rule in reached if _has(rule, "accept") or _has(rule, "vmap")]
            chains.append(
                BaseChain(
                    name=f"{chain['family']} {chain['table']} {chain['name']}",
                    hook=chain["hook"],
                    drops=drops,
                    ports=tuple(port for rule in accepts for port in _ports(rule)),
                    sources=tuple(_networks(accepts, "saddr")),
                    destinations=tuple(_networks(accepts, "daddr")),
                )
            )
    return tuple(chains)


def judge(facts: Facts) -> Iterator[Finding]:
    """Which packets between nodes each chain drops, with the rules that would accept them."""
    for chain in facts.nftables:
        missing = _missing_ports(chain, facts) if chain.hook == "input" else _missing_pods(chain, facts)
        if missing:
            yield warning(
                "nftables-drops",
                f"chain {chain.name} of nftables drops {', '.join(missing)}: {chain.drops}",
                " && ".join(f"nft insert rule {chain.name} {rule} accept" for rule in missing.values()) + f" {_KEPT}",
            )


def _missing_ports(chain: BaseChain, facts: Facts) -> Mapping[str, str]:
    """Ports that are dropped → the match of a rule that accepts them."""
    address = facts.addresses.node_address
    if address and any(IPv4Network(address).subnet_of(network) for network in chain.sources):
        return {}  # The chain accepts this network, which probably is that of all nodes.
    needed = ["4789/udp"] if facts.role == AGENT else list(facts.ports)
    missing = {}
    for port in needed:
        number, _, protocol = port.partition("/")
        if not any(of == protocol and first <= int(number) <= last for of, first, last in chain.ports):
            missing[port] = f"{protocol} dport {number}"
    return missing


def _missing_pods(chain: BaseChain, facts: Facts) -> Mapping[str, str]:
    if facts.role != AGENT:
        return {}
    pods = facts.cidrs.cluster
    missing = {}
    if not any(pods.subnet_of(network) for network in chain.sources):
        missing["packets forwarded from pods"] = f"ip saddr {pods}"
    if not any(pods.subnet_of(network) for network in chain.destinations):
        missing["packets forwarded to pods"] = f"ip daddr {pods}"
    return missing


def _is_native(chain: Json) -> bool:
    """Neither made by iptables' nft variant, nor by a program that is asked itself (firewalls.py)."""
    table, family = chain["table"], chain["family"]
    return family in _FAMILIES and table not in _OF_OTHERS and not (family == "ip" and table in _OF_IPTABLES)


def _reached(chain: str, rules: Sequence[Json]) -> list[Sequence[Json]]:
    """The expressions of the rules of a chain, and of the chains of its table that it jumps to."""
    reached, waiting, expressions = {chain}, [chain], []
    while waiting:
        name = waiting.pop()
        for rule in rules:
            if rule["chain"] == name:
                expressions.append(rule["expr"])
                for verdict in (expression.get("jump") or expression.get("goto") for expression in rule["expr"]):
                    if verdict and verdict["target"] not in reached:
                        reached.add(verdict["target"])
                        waiting.append(verdict["target"])
    return expressions


def _drops(chain: Json, rules: Sequence[Sequence[Json]]) -> str:
    """Why packets that no rule accepts are dropped; empty if they are not."""
    if chain.get("policy") == "drop":
        return "its policy is drop"
    for rule in rules:
        if not any("match" in expression or "vmap" in expression for expression in rule):
            for verdict in ("drop", "reject"):
                if _has(rule, verdict):
                    return f"a rule without conditions has {verdict}"
    return ""


def _has(expressions: Sequence[Json], verdict: str) -> bool:
    return any(verdict in expression for expression in expressions)


def _ports(expressions: Sequence[Json]) -> Iterator[tuple[str, int, int]]:
    """Protocol, first and last port of each destination that is accepted."""
    for expression in expressions:
        if "vmap" in expression:
            if protocol := _port_of(expression["vmap"]["key"]):
                pairs = expression["vmap"]["data"]["set"] if isinstance(expression["vmap"]["data"], dict) else []
                for value, verdict in pairs:
                    if "accept" in verdict:
                        yield from ((protocol, *numbers) for numbers in _numbers(value))
        elif (
            "match" in expression
            and expression["match"]["op"] == "=="
            and (protocol := _port_of(expression["match"]["left"]))
        ):
            yield from ((protocol, *numbers) for numbers in _numbers(expression["match"]["right"]))


def _port_of(left: Json) -> str:
    payload = left.get("payload", {}) if isinstance(left, dict) else {}
    return str(payload.get("protocol", "")) if payload.get("field") == "dport" else ""


def _numbers(value: object) -> Iterator[tuple[int, int]]:
    match value:
        case int():
            yield value, value
        case {"range": [int(first), int(last)]}:
            yield first, last
        case {"set": list(members)}:
            for member in members:
                yield from _numbers(member)


def _networks(rules: Sequence[Sequence[Json]], field: str) -> Iterator[IPv4Network]:
    """The networks from or to which everything is accepted, by rules without other conditions."""
    for expressions in rules:
        matches = [expression["match"] for expression in expressions if "match" in expression]
        if not matches and _has(expressions, "accept"):
            yield _ANY
        if len(matches) == 1 and matches[0]["op"] == "==":
            payload = matches[0]["left"].get("payload", {}) if isinstance(matches[0]["left"], dict) else {}
            if (payload.get("protocol"), payload.get("field")) == ("ip", field):
                yield from _prefixes(matches[0]["right"])


def _prefixes(value: object) -> Iterator[IPv4Network]:
    match value:
        case str():
            with suppress(ValueError):  # a set's name
                yield IPv4Network(value)
        case {"prefix": {"addr": str(address), "len": int(length)}}:
            yield IPv4Network((address, length))
        case {"set": list(members)}:
            for member in members:
                yield from _prefixes(member)
