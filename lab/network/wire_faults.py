"""Brings what is wrong with cables to the kernel: rules, token buckets and MTUs on the underlay.

Rules are in the underlay's namespace, at the head of its raw table: neither an agent's audit nor anybody's rules on a
host see them, and what is lost was sent, as its sender believes. Bandwidth and MTU are on both ends of the cable. The
means are the topology's own; here is only which packets they are for.
"""

from collections.abc import Iterator
from typing import Final

from lab.layout import Layout
from lab.state import HostState, LabState
from lab.wire import Way
from netrig.errors import Unsupported
from netrig.topology import faults, rules
from netrig.topology.model import End, Kind, Link, NodeSpec, Quality
from netstack import sysctl
from netstack.errors import NotThere, RulesRefused, RulesUnavailable
from netstack.services import iptables

HOST_LINK: Final = "eth0"
_SWITCH: Final = "underlay"
_HOOKS: Final = (rules.HOOK, f"OUTPUT -j {rules.CHAIN}")
"""The second is for what the registry sends: it lives in the underlay's own namespace."""


def apply_rules(layout: Layout, state: LabState) -> None:
    """Write the rules of all cables anew."""
    where = layout.underlay_name
    wanted = tuple(rules_of(state))
    if wanted:
        try:
            sysctl.write(where, rules.SWITCH_SYSCTLS)
        except NotThere as error:
            raise Unsupported("no bridge netfilter (module br_netfilter): no loss and no one-way cuts") from error
    try:
        _write(where, iptables.LEGACY, wanted)
    except (RulesRefused, RulesUnavailable):
        _write(where, iptables.NFT, wanted)


def _write(where: str, variant: str, wanted: tuple[str, ...]) -> None:
    """By a variant that is named: finding out which one is in use would load nat, and so follow every connection."""
    tool = iptables.choose(where, rules.PREFIX, variant=variant)
    present = tool.save().splitlines()
    jumps = tuple(f"-I {hook.replace(' ', ' 1 ', 1)}" for hook in _HOOKS if f"-A {hook}" not in present)
    tool.restore("\n".join(["*raw", f":{rules.CHAIN} - [0:0]", *jumps, *wanted, "COMMIT", ""]))


def apply_quality(layout: Layout, host: HostState) -> None:
    """Set bandwidth and MTU of both ends of a host's cable."""
    nodes = {
        _SWITCH: NodeSpec(_SWITCH, Kind.SWITCH, layout.underlay_name),
        host.name: NodeSpec(host.name, Kind.HOST, layout.netns_name(host.name)),
    }
    ends = (End(_SWITCH, host.name), End(host.name, HOST_LINK))
    link = Link(0, ends, Quality(mtu=host.wire.mtu, rate_mbit=host.wire.rate_mbit))
    faults.set_mtu(nodes, link, host.wire.mtu)
    faults.set_rate(nodes, link, host.wire.rate_mbit)


def rules_of(state: LabState) -> Iterator[str]:
    """The rules of the underlay's chain: cuts before losses, as the order decides nothing else."""
    for host in state.hosts:
        for way in sorted(host.wire.cuts):
            yield from (f"-A {rules.CHAIN} {match} -j DROP" for match in _cut(state, host, way))
    for host in state.hosts:
        if host.wire.loss_percent > 0:
            chance = f"-m statistic --mode random --probability {host.wire.loss_percent / 100:.6f}"
            yield from (f"-A {rules.CHAIN} {match} {chance} -j DROP" for match in (_sent_by(host), _sent_to(host)))


def _cut(state: LabState, host: HostState, way: Way) -> Iterator[str]:
    match way:
        case Way.TO:
            yield _sent_to(host)
        case Way.FROM:
            yield _sent_by(host)
        case Way.FROM_MASTER:
            yield from _between(host, state.master)
        case Way.FROM_PEERS:
            for peer in state.nodes:
                if peer.name != host.name:
                    yield from _between(host, peer)


def _between(one: HostState, other: HostState) -> Iterator[str]:
    yield f"-s {one.address}/32 -d {other.address}/32"
    yield f"-s {other.address}/32 -d {one.address}/32"


def _sent_by(host: HostState) -> str:
    """By its port, so that no other source address helps a packet through."""
    return f"-m physdev --physdev-in {host.name}"


def _sent_to(host: HostState) -> str:
    """By its address: where a frame will leave the bridge is not known yet at this place."""
    return f"-d {host.address}/32"
