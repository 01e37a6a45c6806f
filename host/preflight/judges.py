"""Calls all judges, in the order in which people see their findings."""

from __future__ import annotations

from host.preflight import addresses, container_engine, kernel, machine, managers, membership, nftables, rules
from host.preflight.facts import Facts
from host.preflight.finding import Finding


def judge(facts: Facts) -> list[Finding]:
    """All findings. An empty list means that the host is fit."""
    parts = (machine, kernel, rules, nftables, container_engine, addresses, managers, membership)
    return [finding for part in parts for finding in part.judge(facts)]
