"""The desired rules, computed from settings and services. Pure; the text is exactly what iptables-save prints.

nat     PREROUTING, OUTPUT → SERVICES → CLUSTERIPS → NET-<a /26> → SVC-<service port> → SEP-<endpoint> → DNAT
                                      → NODEPORTS  → NP-<64 ports> → EXT-<service port> → MARK, SVC-…
                                      → HOSTPORTS  → DNAT to a pod of this node (hostports.py)
        POSTROUTING → POSTROUTING: marked packets → masquerade; packets from pods to outside the cluster → masquerade
filter  FORWARD, OUTPUT: a packet that still has an address of the service CIDR found no endpoint: REJECT
        FORWARD: packets of pods are accepted, whatever policy Docker or a firewall has set
        INPUT: node ports of services without endpoints: REJECT
        INPUT: the node's own DNS is open to pods and to the node itself, and to nobody else

A packet passes at most one rule for each /26 that has services, and one for each service in its own /26. Services in
other blocks do not slow it down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address
from typing import Final

from netstack.desired import Endpoint, NodeSettings, PublishedPort, ServicePort
from netstack.services.hostports import Chains, host_port_rules
from netstack.services.names import NET_PREFIX, PORTS, ChainNames, block_of, chain_names
from netstack.services.table import Table

# One bit of the packet mark; kube-proxy uses two others (0x4000, 0x8000).
MARK: Final = "0x2000/0x2000"
_UNMARK: Final = "0x2000/0x0"
_REJECT: Final = "-j REJECT --reject-with icmp-port-unreachable"
# TCP gets a reset: the kernel limits ICMP errors per second, and a client that gets none waits for a second.
_RESET: Final = "-j REJECT --reject-with tcp-reset"

_DNS_PORT: Final = 53


def ruleset(
    settings: NodeSettings,
    services: Iterable[ServicePort],
    *,
    dns: IPv4Address | None = None,
    host_ports: Sequence[PublishedPort] = (),
) -> dict[str, Table]:
    """All our rules on this node, by table. `dns`: the address at which the node answers DNS."""
    names = chain_names(settings.owner)
    ordered = sorted(services, key=lambda service: (service.cluster_ip, service.protocol.lower(), service.port))
    return {
        "nat": Table(_nat(settings, names, ordered, host_ports), _nat_hooks(settings, names)),
        "filter": Table(_filter(settings, names, ordered, dns), _filter_hooks(settings, names)),
    }


def accepting_rules(settings: NodeSettings) -> dict[str, Table]:
    """Our rules for the other variant of iptables if it filters: they accept our packets."""
    names = chain_names(settings.owner)
    hooks = {"FORWARD": _hook(settings, "pods and services", names.accept)}
    return {"filter": Table({names.accept: _accepted(settings)}, hooks)}


def probability(remaining: int) -> str:
    """1/n as iptables-save prints it. The kernel keeps it as a multiple of 2^-31."""
    return f"{round(2**31 / remaining) / 2**31:.11f}"


def _nat(
    settings: NodeSettings, names: ChainNames, services: Sequence[ServicePort], host_ports: Sequence[PublishedPort]
) -> Chains:
    alive = [service for service in services if service.endpoints]
    published = host_port_rules(settings, names, host_ports)
    # Not for 127.0.0.1, which cannot be the source of a packet to another host: the packet would be lost.
    local = "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL"
    chains: Chains = {
        names.services: (
            f"-d {settings.service_cidr} -j {names.cluster_ips}",
            f"{local} -j {names.node_ports}",
            *(f"{local} -j {chain}" for chain in published),
        ),
        names.mark: (f"-j MARK --set-xmark {MARK}",),
        # Remove the mark, because the VXLAN packet around this one would inherit it.
        names.masquerade: (f"-j MARK --set-xmark {_UNMARK}", "-j MASQUERADE"),
        names.postrouting: (
            f"-m mark --mark {MARK} -j {names.masquerade}",
            f"-s {settings.pod_cidr} ! -d {settings.cluster_cidr} -j MASQUERADE",
        ),
    }
    chains |= _cluster_ips(names, alive)
    chains |= _node_ports(names, [service for service in alive if service.node_port])
    chains |= published
    for service in alive:
        chains |= _service(names, service)
    return chains


def _nat_hooks(settings: NodeSettings, names: ChainNames) -> dict[str, str]:
    return {
        "PREROUTING": _hook(settings, "service addresses", names.services),
        "OUTPUT": _hook(settings, "service addresses", names.services),
        "POSTROUTING": _hook(settings, "masquerade", names.postrouting),
    }


def _cluster_ips(names: ChainNames, services: Sequence[ServicePort]) -> Chains:
    blocks: dict[str, list[str]] = defaultdict(list)
    dispatch: dict[str, str] = {}
    for service in services:
        block = block_of(service.cluster_ip)
        chain = names.net(block)
        dispatch[chain] = f"-d {block.network_address}/{NET_PREFIX} -j {chain}"
        match = f"-d {service.cluster_ip}/32 {_port_match(service, service.port)} {_comment(service.name)}"
        blocks[chain].append(f"{match} -j {names.service(service)}")
    return {names.cluster_ips: tuple(dispatch.values()), **{chain: tuple(rules) for chain, rules in blocks.items()}}


def _node_ports(names: ChainNames, services: Sequence[ServicePort]) -> Chains:
    blocks: dict[str, list[str]] = defaultdict(list)
    dispatch: dict[str, str] = {}
    chains: Chains = {}
    for service in sorted(services, key=lambda service: (service.protocol.lower(), service.node_port)):
        protocol, first = service.protocol.lower(), service.node_port // PORTS * PORTS
        chain = names.ports(protocol, first)
        dispatch[chain] = f"-p {protocol} -m {protocol} --dport {first}:{first + PORTS - 1} -j {chain}"
        match = f"{_port_match(service, service.node_port)} {_comment(service.name)}"
        blocks[chain].append(f"{match} -j {names.external(service)}")
        chains[names.external(service)] = (f"-j {names.mark}", f"-j {names.service(service)}")
    chains[names.node_ports] = tuple(dispatch.values())
    return chains | {chain: tuple(rules) for chain, rules in blocks.items()}


def _service(names: ChainNames, service: ServicePort) -> Chains:
    endpoints = sorted(set(service.endpoints))
    rules: list[str] = []
    chains: Chains = {}
    for number, endpoint in enumerate(endpoints):
        chain = names.endpoint(service, endpoint)
        remaining = len(endpoints) - number
        choice = f"-m statistic --mode random --probability {probability(remaining)} " if remaining > 1 else ""
        rules.append(f"{choice}{_comment(service.name)} -j {chain}")
        chains[chain] = _endpoint(names, service, endpoint)
    return {names.service(service): tuple(rules), **chains}


def _endpoint(names: ChainNames, service: ServicePort, endpoint: Endpoint) -> tuple[str, ...]:
    comment = _comment(service.name)
    return (
        # A pod that reaches itself through the service must see a source other than itself.
        f"-s {endpoint.address}/32 {comment} -j {names.mark}",
        f"-p {service.protocol.lower()} {comment} -j DNAT --to-destination {endpoint.address}:{endpoint.port}",
    )


def _filter(
    settings: NodeSettings, names: ChainNames, services: Sequence[ServicePort], dns: IPv4Address | None
) -> Chains:
    comment = _comment(f"{settings.owner}: no endpoint")
    refused = (
        f"-d {settings.service_cidr} -p tcp {comment} {_RESET}",
        f"-d {settings.service_cidr} {comment} {_REJECT}",
    )
    silent = [service for service in services if service.node_port and not service.endpoints]
    silent.sort(key=lambda service: (service.protocol.lower(), service.node_port))
    local = "-m addrtype --dst-type LOCAL"
    return {
        names.forward: (*refused, *_accepted(settings)),
        names.output: ((f"-d {dns}/32 -o lo -j RETURN",) if dns else ()) + refused,
        names.input: (
            *(_own_dns(settings, dns) if dns else ()),
            *(
                f"{_port_match(service, service.node_port)} {local} {_comment(service.name)} "
                f"{_RESET if service.protocol.lower() == 'tcp' else _REJECT}"
                for service in silent
            ),
        ),
    }


def _own_dns(settings: NodeSettings, dns: IPv4Address) -> Iterator[str]:
    """Accept pods' questions, even if a firewall drops what it does not know; refuse other hosts'."""
    to = f"-d {dns}/32"
    for protocol in ("tcp", "udp"):
        yield f"-s {settings.pod_cidr} {to} -p {protocol} -m {protocol} --dport {_DNS_PORT} -j ACCEPT"
    yield f"{to} ! -i lo -p tcp {_RESET}"
    yield f"{to} ! -i lo {_REJECT}"


def _accepted(settings: NodeSettings) -> tuple[str, ...]:
    return f"-s {settings.cluster_cidr} -j ACCEPT", f"-d {settings.cluster_cidr} -j ACCEPT"


def _filter_hooks(settings: NodeSettings, names: ChainNames) -> dict[str, str]:
    return {
        "FORWARD": _hook(settings, "pods and services", names.forward),
        "INPUT": _hook(settings, "node ports without endpoint", names.input),
        "OUTPUT": _hook(settings, "services without endpoint", names.output),
    }


def _hook(settings: NodeSettings, what: str, chain: str) -> str:
    return f"{_comment(f'{settings.owner}: {what}')} -j {chain}"


def _port_match(service: ServicePort, port: int) -> str:
    protocol = service.protocol.lower()
    return f"-p {protocol} -m {protocol} --dport {port}"


def _comment(text: str) -> str:
    # iptables-save quotes every text of ours, because it has a colon, slash or space in it.
    return f'-m comment --comment "{text}"'
