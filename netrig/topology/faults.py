"""Changes of links while a topology runs: cut and heal, rate, delay, MTU, loss.

Each function changes the kernel and returns the changed link, which the topology puts into its table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from netrig.errors import Unsupported
from netrig.topology import plan, rules
from netrig.topology.model import Kind, Link, NodeSpec, RouteSpec
from netstack import bulk, sysctl
from netstack import changes as c
from netstack.errors import NotThere
from netstack.services import iptables

Nodes = Mapping[str, NodeSpec]

_MICROSECONDS: Final = 1000
_SWITCH_MTU: Final = 1500


def plug(nodes: Nodes, link: Link, *, connected: bool) -> Link:
    """Connect or unplug a cable: one end goes up or down, and both sides gain or lose the carrier."""
    end = plan.pulled_end(link, nodes)
    bulk.apply([bulk.Batch(nodes[end.node].where, (c.SetLink(end.interface, up=connected),))])
    if connected:
        bulk.apply([plan.settle(nodes[end.node], [link]) for end in link.ends])
    return replace(link, unplugged=not connected)


def replay_routes(nodes: Nodes, link: Link, links: Iterable[Link], routes: Sequence[RouteSpec]) -> None:
    """Restore the routes of the end that was down: the kernel removed them when the link went down."""
    end = plan.pulled_end(link, nodes)
    lost = plan.routes_of(end.node, links, routes)
    if lost:
        bulk.apply([bulk.Batch(nodes[end.node].where, tuple(c.SetRoute(route) for route in lost))])


def set_mtu(nodes: Nodes, link: Link, mtu: int) -> Link:
    """Set the MTU of both ends. A switch silently drops packets that are too large for the other end of the cable."""
    changed = replace(link, quality=replace(link.quality, mtu=mtu))
    first, second = link.ends
    bulk.apply(
        [
            bulk.Batch(nodes[end.node].where, _mtu_changes(nodes[end.node], nodes[peer.node], end.interface, mtu))
            for end, peer in ((first, second), (second, first))
        ]
    )
    return changed


def set_rate(nodes: Nodes, link: Link, rate_mbit: float | None) -> Link:
    """Limit the bandwidth; None: no limit. Raises Unsupported if the kernel lacks tbf, or the link has a delay."""
    changed = replace(link, quality=replace(link.quality, rate_mbit=rate_mbit))
    _refuse_both(changed)
    try:
        _at_both(nodes, link, lambda interface: plan.rate_limit(interface, changed))
    except NotThere as error:
        raise Unsupported(f"this kernel has no tbf: it cannot limit the bandwidth of the link {link}") from error
    return changed


def set_delay(nodes: Nodes, link: Link, delay_ms: float) -> Link:
    """Delay packets. Raises Unsupported if the kernel lacks netem, or the link has a rate: both need its one qdisc."""
    changed = replace(link, quality=replace(link.quality, delay_ms=delay_ms))
    if delay_ms == 0:
        _at_both(nodes, link, c.DeleteRateLimit)  # deletes the root qdisc, whatever it is
        return changed
    _refuse_both(changed)
    try:
        _at_both(nodes, link, lambda interface: bulk.SetDelay(interface, int(delay_ms * _MICROSECONDS)))
    except NotThere as error:
        raise Unsupported(
            f"this kernel has no netem (CONFIG_NET_SCH_NETEM): it cannot delay the link {link} by {delay_ms} ms"
        ) from error
    return changed


def apply_delays(nodes: Nodes, links: Iterable[Link]) -> None:
    """Write the delays of new links to the kernel."""
    for link in links:
        set_delay(nodes, link, link.quality.delay_ms)


def set_loss(link: Link, loss: float) -> Link:
    """The link with this loss; `apply_rules` writes it to the kernel."""
    return replace(link, quality=replace(link.quality, loss=loss))


def deafen(link: Link, node: str) -> Link:
    """The link with a cut towards this node; `apply_rules` writes it. Raises BadTopology if it does not end there."""
    return replace(link, deaf=link.deaf | {link.end_of(node).node})


def undeafen(link: Link) -> Link:
    """The link without cuts in one direction; `apply_rules` writes it."""
    return replace(link, deaf=frozenset())


def apply_rules(nodes: Nodes, links: Iterable[Link], changed: Collection[str]) -> None:
    """Replace the rules for loss and one-way cuts on these nodes. Raises Unsupported."""
    links = list(links)
    for name in sorted(changed):
        spec = nodes[name]
        desired = rules.lossy(name, spec.kind, links)
        if spec.kind is Kind.SWITCH and desired:
            _enable_bridge_netfilter(spec)
        tool = iptables.choose(spec.where, rules.PREFIX)
        hooked = f"-A {rules.HOOK}" in tool.save().splitlines()
        tool.restore(rules.restore_text(desired, hooked=hooked))


def describe(link: Link) -> str:
    """The link's state, for people."""
    quality = link.quality
    words = [f"mtu {quality.mtu}"]
    words += [f"{quality.rate_mbit:g} Mbit/s"] if quality.rate_mbit is not None else []
    words += [f"loss {quality.loss:.1%}"] if quality.loss else []
    words += [f"delay {quality.delay_ms:g} ms"] if quality.delay_ms else []
    words += ["CUT"] if link.unplugged else []
    words += [f"CUT toward {', '.join(sorted(link.deaf))}"] if link.deaf else []
    return ", ".join(words)


def _at_both(nodes: Nodes, link: Link, change: Callable[[str], bulk.BulkChange]) -> None:
    bulk.apply([bulk.Batch(nodes[end.node].where, (change(end.interface),)) for end in link.ends])


def _mtu_changes(node: NodeSpec, peer: NodeSpec, interface: str, mtu: int) -> tuple[bulk.BulkChange, ...]:
    if node.kind is not Kind.SWITCH:
        return (c.SetLink(interface, mtu=mtu),)
    # The port towards a host keeps a large MTU, and the host's end drops large packets. With a small MTU on the port,
    # bridge netfilter would fragment packets without DF, which a real switch does not; and a GSO packet, which is
    # segmented only later, would pass although it is large.
    port = mtu if peer.kind is Kind.SWITCH else max(mtu, _SWITCH_MTU)
    segments = bulk.LimitSegments(interface, 1) if mtu < _SWITCH_MTU else bulk.LimitSegments(interface)
    return c.SetLink(interface, mtu=port), segments


def _refuse_both(link: Link) -> None:
    if link.quality.rate_mbit is not None and link.quality.delay_ms > 0:
        raise Unsupported(f"the link {link} cannot have both a rate and a delay: put them on two links in a row")


def _enable_bridge_netfilter(switch: NodeSpec) -> None:
    try:
        sysctl.write(switch.where, rules.SWITCH_SYSCTLS)
    except NotThere as error:
        raise Unsupported(
            f"loss towards the switch {switch.name} needs bridge netfilter (kernel module br_netfilter)"
        ) from error
