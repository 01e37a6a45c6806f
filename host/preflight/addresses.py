"""Addresses: the node's own, networks that overlap with the cluster's, the MTU; ports in use."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from host.preflight.facts import AGENT, Cidrs, Facts, is_ours
from host.preflight.finding import Finding, error, warning

OVERHEAD: Final = 50
"""Bytes of VXLAN's headers in each packet."""
SMALLEST_MTU: Final = 576 + OVERHEAD
"""Every IPv4 host must accept 576 bytes (RFC 791)."""
GOOD_MTU: Final = 1280 + OVERHEAD


def judge(facts: Facts) -> Iterator[Finding]:
    if facts.role == AGENT:
        yield from _node_address(facts)
        yield from _clashes(facts)
        yield from _mtu(facts)
    for port, problem in facts.ports.items():
        if problem:
            number, protocol = port.split("/")
            yield error("port-in-use", f"port {port} cannot be used: {problem}", _find_user(number, protocol))


def _find_user(number: str, protocol: str) -> str:
    if protocol == "tcp":
        return f"ss -ltnp 'sport = :{number}' shows the process: stop it, or use another port in master.toml"
    return f"ss -lunp 'sport = :{number}' and ip -d link show type vxlan show the process or device: stop or remove it"


def _node_address(facts: Facts) -> Iterator[Finding]:
    addresses = facts.addresses
    if not addresses.node_address:
        yield error(
            "node-address",
            "there is no route to the master, so the node's address is not known",
            "bring the network up, or give the address: --node-address",
        )
    elif IPv4Address(addresses.node_address).is_loopback:
        yield error(
            "node-address",
            f"the node's address would be {addresses.node_address}, which no other node can reach",
            "give the master's address as other hosts use it, or this node's: --node-address",
        )
    elif not addresses.interface:
        yield error(
            "node-address",
            f"no link of this host has the address {addresses.node_address}",
            "give one of those that `ip address` shows: --node-address",
        )


def _clashes(facts: Facts) -> Iterator[Finding]:
    addresses, cidrs = facts.addresses, facts.cidrs
    for id_, what, setting, network in (
        ("cluster-cidr", "pods'", "cluster_cidr", cidrs.cluster),
        ("service-cidr", "services'", "service_cidr", cidrs.service),
    ):
        clash = _clash(facts, network)
        if clash:
            yield error(
                id_,
                f"the {what} network {network}{_whose(cidrs)} overlaps with {clash}",
                f"choose another network before the cluster exists: {setting} in the master's master.toml",
            )
        server = next((nameserver for nameserver in addresses.nameservers if nameserver in network), None)
        if server is not None:
            yield error(
                "nameserver-cidr",
                f"the resolver {server} is in the {what} network {network}{_whose(cidrs)}: names would not resolve",
                f"choose another network ({setting} in master.toml), or another resolver",
            )


def _clash(facts: Facts, network: IPv4Network) -> str:
    """The address or route of this host that overlaps with the network; empty for none."""
    for interface, link in facts.addresses.addresses:
        if not is_ours(link) and (interface.ip in network or interface.network.overlaps(network)):
            return f"the address {interface} of {link}"
    for route, link in facts.addresses.routes:
        if not is_ours(link) and route.prefixlen and route.overlaps(network):
            return f"the route to {route} via {link}"
    return ""


def _mtu(facts: Facts) -> Iterator[Finding]:
    interface, mtu = facts.addresses.interface, facts.addresses.mtu
    if not interface:
        return
    if mtu < SMALLEST_MTU:
        yield error(
            "mtu",
            f"the MTU of {interface} is {mtu} bytes, which leaves {mtu - OVERHEAD} for pods",
            f"ip link set {interface} mtu 1500, if the network supports that",
        )
    elif mtu < GOOD_MTU:
        yield warning(
            "mtu",
            f"the MTU of {interface} is {mtu} bytes, which leaves {mtu - OVERHEAD} for pods",
            f"ip link set {interface} mtu 1500, if the network supports that",
        )


def _whose(cidrs: Cidrs) -> str:
    return "" if cidrs.asked else " (the default; the master was not asked)"
