"""Native rules of nftables: how nft's output is read. tests/kernel/test_preflight.py asks nft itself."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pytest

from host.preflight.facts import BaseChain
from host.preflight.nftables import parse

INPUT = {"family": "inet", "table": "filter", "name": "input", "type": "filter", "hook": "input", "policy": "drop"}
ACCEPT, DROP = {"accept": None}, {"drop": None}


def ruleset(*rules: list[Any], chain: dict[str, Any] = INPUT, **others: list[list[Any]]) -> str:
    """As `nft -j list ruleset` prints it; `others`: rules of other chains of the same table."""
    place = {"family": chain["family"], "table": chain["table"]}
    entries: list[dict[str, Any]] = [{"metainfo": {}}, {"table": {}}, {"chain": chain}]
    entries += [{"chain": {**place, "name": name}} for name in others]
    for name, each in {chain["name"]: list(rules), **others}.items():
        entries += [{"rule": {**place, "chain": name, "expr": expressions}} for expressions in each]
    return json.dumps({"nftables": entries})


def match(protocol: str, field: str, value: object, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": field}}, "right": value}}


def read(text: str) -> BaseChain:
    (chain,) = parse(text)
    return chain


@pytest.mark.parametrize(
    "chain",
    [
        {**INPUT, "policy": "accept"},
        {**INPUT, "hook": "output"},
        {**INPUT, "type": "nat"},
        {**INPUT, "family": "ip6"},
        {**INPUT, "family": "ip"},
        {**INPUT, "table": "firewalld"},
        {"family": "inet", "table": "filter", "name": "regular"},
    ],
    ids=["accepts", "output", "nat", "IPv6", "iptables'", "firewalld's", "no base chain"],
)
def test_chains_that_are_ignored(chain: dict[str, Any]) -> None:
    assert parse(ruleset(chain=chain)) == ()


@pytest.mark.parametrize("verdict", [DROP, {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}])
def test_rules_that_drop_without_a_policy(verdict: dict[str, Any]) -> None:
    chain = {**INPUT, "policy": "accept"}
    assert "without conditions" in read(ruleset([{"counter": {}}, verdict], chain=chain)).drops
    assert parse(ruleset([match("tcp", "dport", 22), verdict], chain=chain)) == ()


@pytest.mark.parametrize(
    ("expressions", "ports"),
    [
        ([match("udp", "dport", 4789), ACCEPT], (("udp", 4789, 4789),)),
        ([match("tcp", "dport", {"range": [6443, 6444]}), {"counter": {}}, ACCEPT], (("tcp", 6443, 6444),)),
        ([match("tcp", "dport", {"set": [22, {"range": [80, 81]}]}), ACCEPT], (("tcp", 22, 22), ("tcp", 80, 81))),
        ([match("tcp", "dport", "@known"), ACCEPT], ()),
        ([match("tcp", "dport", 22, "!="), ACCEPT], ()),
        ([match("udp", "sport", 53), ACCEPT], ()),
        ([match("udp", "dport", 4789), DROP], ()),
        (
            [{"vmap": {"key": match("udp", "dport", 0)["match"]["left"], "data": {"set": [[9, ACCEPT], [8, DROP]]}}}],
            (("udp", 9, 9),),
        ),
        ([{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["established", ACCEPT]]}}}], ()),
        ([{"vmap": {"key": match("udp", "dport", 0)["match"]["left"], "data": "@verdicts"}}], ()),
    ],
)
def test_ports_that_are_accepted(expressions: list[Any], ports: tuple[tuple[str, int, int], ...]) -> None:
    assert read(ruleset(expressions)).ports == ports


@pytest.mark.parametrize(
    ("expressions", "sources"),
    [
        ([match("ip", "saddr", {"prefix": {"addr": "10.0.0.0", "len": 24}}), ACCEPT], ("10.0.0.0/24",)),
        ([match("ip", "saddr", {"set": ["10.0.0.1", "10.0.0.2"]}), ACCEPT], ("10.0.0.1/32", "10.0.0.2/32")),
        ([match("ip", "saddr", "@friends"), ACCEPT], ()),
        ([match("ip", "saddr", "10.0.0.1"), match("tcp", "dport", 22), ACCEPT], ()),
        ([match("ip6", "saddr", "::1"), ACCEPT], ()),
        ([{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, ACCEPT], ()),
        ([ACCEPT], ("0.0.0.0/0",)),
    ],
)
def test_networks_that_are_accepted(expressions: list[Any], sources: tuple[str, ...]) -> None:
    assert read(ruleset(expressions)).sources == tuple(map(IPv4Network, sources))


def test_only_chains_that_are_jumped_to_count() -> None:
    vxlan, lists = [match("udp", "dport", 4789), ACCEPT], [match("tcp", "dport", 22), ACCEPT]
    chain = read(ruleset([{"jump": {"target": "allowed"}}], allowed=[vxlan], output=[lists, [ACCEPT]]))
    assert (chain.ports, chain.sources) == ((("udp", 4789, 4789),), ())
