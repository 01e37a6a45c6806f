"""The kernel prints our rules exactly as we computed them, for both variants. An independent reader agrees."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from netstack import namespaces
from netstack.desired import Endpoint, NodeSettings, ServicePort
from netstack.services import iptables
from netstack.services.rules import ruleset
from netstack.services.table import as_observed, difference, parse
from netstack.services.writer import RuleWriter

PREFIX = "SAMPAN-"
SETTINGS = NodeSettings(
    node_name="a",
    node_address=IPv4Address("172.30.0.11"),
    pod_cidr=IPv4Network("10.244.1.0/24"),
    cluster_cidr=IPv4Network("10.244.0.0/16"),
    service_cidr=IPv4Network("10.96.0.0/16"),
    state_dir=Path("/nonexistent"),
)


def services(count: int) -> list[ServicePort]:
    """Services of every kind: many endpoints, one, none; all protocols; with and without node ports."""
    made = []
    for number in range(count):
        protocol = ("TCP", "UDP", "SCTP")[number % 3]
        endpoints = tuple(
            Endpoint(IPv4Address("10.244.1.0") + number + 1 + step, 8000 + step) for step in range(number % 12)
        )
        node_port = 30000 + number * 7 if number % 2 else 0
        address = IPv4Address("10.96.0.1") + number * 11
        made.append(ServicePort(f"ns/svc-{number}:port", protocol, address, 80 + number, node_port, endpoints))
    return made


def test_the_kernel_prints_what_we_computed(new_namespace: Callable[[], str], variant: str) -> None:
    where = new_namespace()
    tool = iptables.choose(where, PREFIX, variant=variant)
    desired = ruleset(SETTINGS, services(60))
    RuleWriter(tool, PREFIX).apply(desired)
    printed = parse(tool.save(), PREFIX)
    expected = as_observed(desired)
    for name in ("nat", "filter"):
        assert printed[name].chains == expected[name].chains
        assert sorted(printed[name].references) == sorted(expected[name].references)
        assert not difference(desired[name], printed[name])


def test_only_changes_are_written(new_namespace: Callable[[], str], variant: str) -> None:
    where = new_namespace()
    tool = iptables.choose(where, PREFIX, variant=variant)
    writer = RuleWriter(tool, PREFIX)
    first, second = ruleset(SETTINGS, services(30)), ruleset(SETTINGS, services(24))
    writer.apply(first)
    writer.apply(second)
    assert writer.audit(second) == ()
    writer.apply(first)
    assert writer.audit(first) == ()
    RuleWriter(tool, PREFIX).remove()
    assert "SAMPAN" not in tool.save()


def test_a_change_is_written_after_another_program_changed_the_rules(
    new_namespace: Callable[[], str], variant: str
) -> None:
    tool = iptables.choose(new_namespace(), PREFIX, variant=variant)
    writer = RuleWriter(tool, PREFIX)
    writer.apply(ruleset(SETTINGS, services(6)))
    RuleWriter(tool, PREFIX).remove()
    writer.apply(ruleset(SETTINGS, services(7)))
    assert writer.audit(ruleset(SETTINGS, services(7))) == ()


def test_the_variant_that_already_has_rules_is_chosen(new_namespace: Callable[[], str]) -> None:
    empty, busy = new_namespace(), new_namespace()
    assert iptables.choose(empty, PREFIX).variant == "legacy"
    for command in (
        "iptables-nft -P FORWARD DROP",
        "iptables-legacy -A INPUT -j ACCEPT",
        "iptables-legacy -A INPUT -j LOG",
    ):
        run(busy, *command.split())
    assert iptables.choose(busy, PREFIX).variant == "nft"
    RuleWriter(iptables.choose(busy, PREFIX, variant="legacy"), PREFIX).apply(ruleset(SETTINGS, []))
    assert iptables.choose(busy, PREFIX).variant == "legacy", "the variant with rules of ours is not chosen"


def test_python_iptables_reads_the_same_rules(new_namespace: Callable[[], str]) -> None:
    """It runs in a process of its own, because it redirects file descriptor 1 while it reads."""
    where = new_namespace()
    desired = ruleset(SETTINGS, services(12))
    RuleWriter(iptables.choose(where, PREFIX, variant="legacy"), PREFIX).apply(desired)
    program = """
import json, sys, iptc
result = {}
for name in ("nat", "filter"):
    for chain in iptc.Table(name).chains:
        result[f"{name} {chain.name}"] = [rule.target.name for rule in chain.rules]
open(sys.argv[1], "w").write(json.dumps(result))
"""
    output = Path(f"/tmp/{where}.json")
    try:
        run(where, sys.executable, "-W", "ignore", "-c", program, str(output))
        targets = json.loads(output.read_text())
    finally:
        output.unlink(missing_ok=True)
    for name, table in desired.items():
        for chain, rules in table.chains.items():
            assert targets[f"{name} {chain}"] == [rule.split("-j ")[1].split(" ")[0] for rule in rules]
        for chain, rule in table.hooks.items():
            assert targets[f"{name} {chain}"][0] == rule.split("-j ")[1]


def run(where: str, *command: str) -> None:
    subprocess.run(["nsenter", f"--net={namespaces.path_of(where)}", *command], check=True)
