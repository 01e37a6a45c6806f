"""The cluster to join: the master's answer, its clock, the token, and whether the name or the address is in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.config import node_name_problem
from host.preflight.facts import AGENT, Facts
from host.preflight.finding import Finding, error, warning

CLOCK_S: Final = 2.0


def judge(facts: Facts) -> Iterator[Finding]:
    if facts.role == AGENT and (problem := node_name_problem(facts.node_name)):
        yield error("node-name", problem, "give the node another name: --node-name")
    master = facts.master
    if master is None:
        return
    if master.problem:
        yield error(
            "master-answer",
            f"{master.url} does not answer: {master.problem}",
            "start the master (systemctl status sampan-master there), and open its ports 6443 and 6444 to this host",
        )
    if master.distrust:
        yield error(
            "master-trust",
            master.distrust,
            "compare --ca-hash with what `sampan token create` prints on the master",
        )
    yield from _clock(facts)
    if master.refusal:
        yield error("join-token", master.refusal, "make a new token on the master: sampan token create")
    if master.name_taken:
        yield error(
            "node-name-taken",
            master.name_taken,
            f"kubectl delete node {facts.node_name}, if that machine is gone; otherwise another name: --node-name",
        )
    if master.address_taken_by:
        yield error(
            "node-address-taken",
            f"node {master.address_taken_by} has the address {facts.addresses.node_address}",
            "give an address that only this machine has: --node-address",
        )


def _clock(facts: Facts) -> Iterator[Finding]:
    master = facts.master
    assert master is not None
    if master.validity:
        yield error(
            "certificate-time",
            f"at this host's time the master's certificate is not valid: {master.validity}",
            "set the clock: timedatectl set-ntp true",
        )
    ahead_s = master.clock_ahead_s
    if ahead_s is not None and abs(ahead_s) > CLOCK_S:
        yield warning(
            "clock",
            f"this host's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the master's",
            "set the clock on both: timedatectl set-ntp true",
        )
