"""Applies the faults of cables to the kernel: rules, token buckets and MTUs on the underlay.

The rules are in the raw table of the underlay's namespace. So they do not disturb the audit of an agent or the rules of
a host, and a lost packet was sent successfully from its sender's point of view. Bandwidth and MTU are set on both ends
of the cable. Uses the functions of netrig's topologies, and only chooses the packets.
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
"""The second is for packets of the registry, which runs in the underlay's namespace."""


def apply_rules(layout: Layout, state: LabState) -> None:
    """Replace the rules of all cables. Raises Unsupported."""
    namespace = layout.underlay_name
    desired = tuple(rules_of(state))
    if desired:
        try:
            sysctl.write(namespace, rules.SWITCH_SYSCTLS)
        except NotThere as error:
            raise Unsupported("loss and one-way cuts need bridge netfilter (kernel module br_netfilter)") from error
    try:
        _write(namespace, iptables.LEGACY, desired)
    except (RulesRefused, RulesUnavailable):
        _write(namespace, iptables.NFT, desired)


def _write(namespace: str, variant: str, desired: tuple[str, ...]) -> None:
    """With an explicit variant: detection would load the nat table, and with it connection tracking."""
    tool = iptables.choose(namespace, rules.PREFIX, variant=variant)
    present = tool.save().splitlines()
    jumps = tuple(f"-I {hook.replace(' ', ' 1 ', 1)}" for hook in _HOOKS if f"-A {hook}" not in present)
    tool.restore("\n".join(["*raw", f":{rules.CHAIN} - [0:0]", *jumps, *desired, "COMMIT", ""]))


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
    """The rules of the underlay's chain. Cuts come before losses; otherwise the order does not matter."""
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


def _between(host: HostState, peer: HostState) -> Iterator[str]:
    yield f"-s {host.address}/32 -d {peer.address}/32"
    yield f"-s {peer.address}/32 -d {host.address}/32"


def _sent_by(host: HostState) -> str:
    """Matches the host's port, so that packets with any source address are included."""
    return f"-m physdev --physdev-in {host.name}"


def _sent_to(host: HostState) -> str:
    """Matches the host's address: the port by which a frame leaves the bridge is not known yet."""
    return f"-d {host.address}/32"
