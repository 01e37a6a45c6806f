"""Addresses: the node's own, networks that clash with the cluster's, the MTU; ports that somebody has."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from host.preflight.facts import AGENT, Cidrs, Facts, is_ours
from host.preflight.finding import Finding, error, warning

OVERHEAD: Final = 50
"""What VXLAN takes of each packet."""
SMALLEST_MTU: Final = 576 + OVERHEAD
"""Every IPv4 host must take 576 bytes (RFC 791)."""
GOOD_MTU: Final = 1280 + OVERHEAD


def judge(facts: Facts) -> Iterator[Finding]:
    if facts.role == AGENT:
        yield from _node_address(facts)
        yield from _clashes(facts)
        yield from _mtu(facts)
    for port, problem in facts.ports.items():
        if problem:
            number, protocol = port.split("/")
            yield error("port-in-use", f"port {port} cannot be had: {problem}", _who_has(number, protocol))


def _who_has(number: str, protocol: str) -> str:
    if protocol == "tcp":
        return f"ss -ltnp 'sport = :{number}' says who has it: stop it, or use another port in master.toml"
    return f"ss -lunp 'sport = :{number}' and ip -d link show type vxlan say who has it: stop it, or remove the device"


def _node_address(facts: Facts) -> Iterator[Finding]:
    have = facts.addresses
    if not have.node_address:
        yield error(
            "node-address",
            "there is no route to the master, so this node has no address to be reached by",
            "bring the network up, or name the address: --node-address",
        )
    elif IPv4Address(have.node_address).is_loopback:
        yield error(
            "node-address",
            f"the node's address would be {have.node_address}, which no other node reaches",
            "name the master by an address that other hosts use, or name this node's: --node-address",
        )
    elif not have.interface:
        yield error(
            "node-address",
            f"no link of this host has the address {have.node_address}",
            "ip address shows those that there are; name one of them: --node-address",
        )


def _clashes(facts: Facts) -> Iterator[Finding]:
    have, cidrs = facts.addresses, facts.cidrs
    for id_, what, setting, network in (
        ("cluster-cidr", "pods'", "cluster_cidr", cidrs.cluster),
        ("service-cidr", "services'", "service_cidr", cidrs.service),
    ):
        clash = _clash(facts, network)
        if clash:
            yield error(
                id_,
                f"the {what} network {network}{_whose(cidrs)} overlaps with {clash}",
                f"choose another one before the cluster is made: {setting} in the master's master.toml",
            )
        server = next((each for each in have.nameservers if each in network), None)
        if server is not None:
            yield error(
                "nameserver-cidr",
                f"the resolver {server} lies in the {what} network {network}{_whose(cidrs)}: names would not resolve",
                f"choose another network ({setting} in master.toml), or another resolver",
            )


def _clash(facts: Facts, network: IPv4Network) -> str:
    """What of this host overlaps with the network; empty: nothing."""
    have = facts.addresses
    for interface, link in have.addresses:
        if not is_ours(link) and (interface.ip in network or interface.network.overlaps(network)):
            return f"the address {interface} of {link}"
    for route, link in have.routes:
        if not is_ours(link) and route.prefixlen and route.overlaps(network):
            return f"the route to {route} by {link}"
    return ""


def _mtu(facts: Facts) -> Iterator[Finding]:
    have = facts.addresses
    if not have.interface:
        return
    if have.mtu < SMALLEST_MTU:
        yield error(
            "mtu",
            f"{have.interface} takes {have.mtu} bytes a packet: {have.mtu - OVERHEAD} are left for pods",
            f"ip link set {have.interface} mtu 1500, if the network takes that",
        )
    elif have.mtu < GOOD_MTU:
        yield warning(
            "mtu",
            f"{have.interface} takes {have.mtu} bytes a packet: {have.mtu - OVERHEAD} are left for pods",
            f"ip link set {have.interface} mtu 1500, if the network takes that",
        )


def _whose(cidrs: Cidrs) -> str:
    return "" if cidrs.asked else " (the default; the master was not asked)"
