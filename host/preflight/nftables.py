"""nftables' own rules, of which iptables shows nothing: what they drop, by the word of `nft -j list ruleset`.

An accept in one table undoes no drop in another, so what is dropped here stays dropped whatever the agent's rules say.
As far as one can tell: jumps are followed to no chain but those of the same table, and rules with conditions that are
not about ports or networks are passed over. Form of the JSON: libnftables-json(5).
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
"""Tables that somebody else tells of: firewalls.py."""
_ANY: Final = IPv4Network("0.0.0.0/0")
_KEPT: Final = "# and in /etc/nftables.conf, or it is gone after a boot"

Json = dict[str, Any]


def read() -> tuple[BaseChain, ...]:
    """The chains that drop; none where there is no `nft`, or no right to ask."""
    if not shutil.which(_COMMAND[0]):
        return ()
    try:
        return parse(programs.run(*_COMMAND, timeout_s=_TIMEOUT_S))
    except (ProgramFailed, ValueError, KeyError, TypeError):
        return ()


def parse(text: str) -> tuple[BaseChain, ...]:
    """Of the whole ruleset. Raises ValueError, KeyError, TypeError for what is none."""
    entries: list[Json] = json.loads(text)["nftables"]
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    found = []
    for chain in (entry["chain"] for entry in entries if "chain" in entry):
        if chain.get("hook") not in ("input", "forward") or chain.get("type") != "filter" or not _is_native(chain):
            continue
        of_table = [rule for rule in rules if (rule["family"], rule["table"]) == (chain["family"], chain["table"])]
        own = [rule["expr"] for rule in of_table if rule["chain"] == chain["name"]]
        if drops := _drops(chain, own):
            met = _met(chain["name"], of_table)
            accepts = [rule for rule in met if _has(rule, "accept") or _has(rule, "vmap")]
            found.append(
                BaseChain(
                    name=f"{chain['family']} {chain['table']} {chain['name']}",
                    hook=chain["hook"],
                    drops=drops,
                    ports=tuple(port for rule in accepts for port in _ports(rule)),
                    sources=tuple(_networks(accepts, "saddr")),
                    destinations=tuple(_networks(accepts, "daddr")),
                )
            )
    return tuple(found)


def judge(facts: Facts) -> Iterator[Finding]:
    """What each chain drops of what nodes send each other, with the rules that let it in."""
    for chain in facts.nftables:
        missing = _missing_ports(chain, facts) if chain.hook == "input" else _missing_pods(chain, facts)
        if missing:
            yield warning(
                "nftables-drops",
                f"chain {chain.name} of nftables drops {', '.join(missing)}: {chain.drops}",
                " && ".join(f"nft insert rule {chain.name} {rule} accept" for rule in missing.values()) + f" {_KEPT}",
            )


def _missing_ports(chain: BaseChain, facts: Facts) -> Mapping[str, str]:
    """What is dropped → the match of a rule that lets it in."""
    address = facts.addresses.node_address
    if address and any(IPv4Network(address).subnet_of(each) for each in chain.sources):
        return {}  # the nodes' network, perhaps: whoever wrote that has thought of neighbours
    wanted = ["4789/udp"] if facts.role == AGENT else list(facts.ports)
    missing = {}
    for each in wanted:
        number, _, protocol = each.partition("/")
        if not any(of == protocol and first <= int(number) <= last for of, first, last in chain.ports):
            missing[each] = f"{protocol} dport {number}"
    return missing


def _missing_pods(chain: BaseChain, facts: Facts) -> Mapping[str, str]:
    if facts.role != AGENT:
        return {}
    pods = facts.cidrs.cluster
    missing = {}
    if not any(pods.subnet_of(each) for each in chain.sources):
        missing["what is forwarded from pods"] = f"ip saddr {pods}"
    if not any(pods.subnet_of(each) for each in chain.destinations):
        missing["what is forwarded to pods"] = f"ip daddr {pods}"
    return missing


def _is_native(chain: Json) -> bool:
    """Neither iptables' by its nft variant, nor somebody's who is asked himself."""
    table, family = chain["table"], chain["family"]
    return family in _FAMILIES and table not in _OF_OTHERS and not (family == "ip" and table in _OF_IPTABLES)


def _met(chain: str, rules: Sequence[Json]) -> list[Sequence[Json]]:
    """The expressions of the rules of a chain, and of the chains of its table that it leads to."""
    reached, waiting, found = {chain}, [chain], []
    while waiting:
        name = waiting.pop()
        for rule in rules:
            if rule["chain"] == name:
                found.append(rule["expr"])
                for verdict in (each.get("jump") or each.get("goto") for each in rule["expr"]):
                    if verdict and verdict["target"] not in reached:
                        reached.add(verdict["target"])
                        waiting.append(verdict["target"])
    return found


def _drops(chain: Json, rules: Sequence[Sequence[Json]]) -> str:
    """Why what no rule lets in is dropped; empty: it is not."""
    if chain.get("policy") == "drop":
        return "its policy is drop"
    for rule in rules:
        if not any("match" in each or "vmap" in each for each in rule):
            for verdict in ("drop", "reject"):
                if _has(rule, verdict):
                    return f"a rule without conditions has {verdict}"
    return ""


def _has(expressions: Sequence[Json], verdict: str) -> bool:
    return any(verdict in each for each in expressions)


def _ports(expressions: Sequence[Json]) -> Iterator[tuple[str, int, int]]:
    """Protocol, first and last port of each destination that is let in."""
    for each in expressions:
        if "vmap" in each:
            if protocol := _port_of(each["vmap"]["key"]):
                pairs = each["vmap"]["data"]["set"] if isinstance(each["vmap"]["data"], dict) else []
                for value, verdict in pairs:
                    if "accept" in verdict:
                        yield from ((protocol, *numbers) for numbers in _numbers(value))
        elif "match" in each and each["match"]["op"] == "==" and (protocol := _port_of(each["match"]["left"])):
            yield from ((protocol, *numbers) for numbers in _numbers(each["match"]["right"]))


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
            for each in members:
                yield from _numbers(each)


def _networks(rules: Sequence[Sequence[Json]], field: str) -> Iterator[IPv4Network]:
    """From where, or to where, everything is let in: by rules that are about that alone."""
    for expressions in rules:
        matches = [each["match"] for each in expressions if "match" in each]
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
            for each in members:
                yield from _prefixes(each)
