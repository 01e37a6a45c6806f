"""The preflight tries every match and target that the real rules use."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from netstack.desired import Endpoint, NodeSettings, ServicePort
from netstack.services.rules import ruleset
from netstack.trial import RULES


def test_every_match_and_target_is_tried() -> None:
    settings = NodeSettings(
        "n", IPv4Address("10.0.0.1"), IPv4Network("10.244.1.0/24"), IPv4Network("10.244.0.0/16"),
        IPv4Network("10.96.0.0/16"), Path("/nonexistent"),
    )  # fmt: skip
    endpoints = (Endpoint(IPv4Address("10.244.1.2"), 80), Endpoint(IPv4Address("10.244.1.3"), 80))
    services = [
        ServicePort(f"default/{protocol}{number}", protocol, IPv4Address(f"10.96.0.{number}"), 80, 30000 + number, have)
        for protocol, number, have in (("tcp", 1, endpoints), ("udp", 2, endpoints), ("tcp", 3, ()), ("udp", 4, ()))
    ]
    used: set[str] = set()
    for table in ruleset(settings, services).values():
        rules = [rule for chain in table.chains.values() for rule in chain] + list(table.hooks.values())
        for rule in rules:
            used |= {f"match {name}" for name in re.findall(r"-m (\w+)", rule)}
            used |= {f"target {name}" for name in re.findall(r"-j ([A-Z]+)(?![A-Z-])", rule)} - {"target ACCEPT"}
    assert len(used) > 8
    assert used <= set(RULES), "netstack uses a match or target that the preflight does not try"
