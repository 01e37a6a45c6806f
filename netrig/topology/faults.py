"""Changes of links while a topology runs: cut and heal, rate, delay, MTU, loss.

Each takes the link as it is and gives it back as it became; the topology keeps the table. The kernel is changed first.
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
    """Bring the cable's end up or down; both sides see the carrier go."""
    end = plan.pulled_end(link, nodes)
    bulk.apply([bulk.Batch(nodes[end.node].where, (c.SetLink(end.interface, up=connected),))])
    if connected:
        bulk.apply([plan.settle(nodes[end.node], [link]) for end in link.ends])
    return replace(link, unplugged=not connected)


def replay_routes(nodes: Nodes, link: Link, links: Iterable[Link], routes: Sequence[RouteSpec]) -> None:
    """Make again the routes of the end that was down: the kernel removes them with the link."""
    end = plan.pulled_end(link, nodes)
    found = plan.routes_of(end.node, links, routes)
    if found:
        bulk.apply([bulk.Batch(nodes[end.node].where, tuple(c.SetRoute(route) for route in found))])


def set_mtu(nodes: Nodes, link: Link, mtu: int) -> Link:
    """At both ends. A switch drops without a word what the other end of the cable is too small for."""
    changed = replace(link, quality=replace(link.quality, mtu=mtu))
    here, there = link.ends
    bulk.apply(
        [
            bulk.Batch(nodes[end.node].where, _mtu_changes(nodes[end.node], nodes[other.node], end.interface, mtu))
            for end, other in ((here, there), (there, here))
        ]
    )
    return changed


def set_rate(nodes: Nodes, link: Link, rate_mbit: float | None) -> Link:
    changed = replace(link, quality=replace(link.quality, rate_mbit=rate_mbit))
    _refuse_both(changed)
    try:
        _at_both(nodes, link, lambda interface: plan.rate_limit(interface, changed))
    except NotThere as error:
        raise Unsupported(f"this kernel has no tbf: no bandwidth for the link {link}") from error
    return changed


def set_delay(nodes: Nodes, link: Link, delay_ms: float) -> Link:
    """Raises Unsupported where the kernel has no netem, or the link has a rate (one queueing discipline a link)."""
    changed = replace(link, quality=replace(link.quality, delay_ms=delay_ms))
    if delay_ms == 0:
        _at_both(nodes, link, c.DeleteRateLimit)  # whatever stands at the link's root
        return changed
    _refuse_both(changed)
    try:
        _at_both(nodes, link, lambda interface: bulk.SetDelay(interface, int(delay_ms * _MICROSECONDS)))
    except NotThere as error:
        raise Unsupported(
            f"this kernel has no netem (CONFIG_NET_SCH_NETEM): no delay of {delay_ms} ms for the link {link}"
        ) from error
    return changed


def apply_delays(nodes: Nodes, links: Iterable[Link]) -> None:
    for link in links:
        set_delay(nodes, link, link.quality.delay_ms)


def set_loss(link: Link, loss: float) -> Link:
    """Only the value: `apply_rules` writes it."""
    return replace(link, quality=replace(link.quality, loss=loss))


def deafen(link: Link, node: str) -> Link:
    """The link, of which this node's end receives nothing. Raises BadTopology when it has no end there."""
    return replace(link, deaf=link.deaf | {link.end_of(node).node})


def hear(link: Link) -> Link:
    return replace(link, deaf=frozenset())


def apply_rules(nodes: Nodes, links: Iterable[Link], changed: Collection[str]) -> None:
    """Write the loss chains of these nodes anew."""
    links = list(links)
    for name in sorted(changed):
        spec = nodes[name]
        wanted = rules.lossy(name, spec.kind, links)
        if spec.kind is Kind.SWITCH and wanted:
            _look_into_frames(spec)
        tool = iptables.choose(spec.where, rules.PREFIX)
        hooked = f"-A {rules.HOOK}" in tool.save().splitlines()
        tool.restore(rules.restore_text(wanted, hooked=hooked))


def describe(link: Link) -> str:
    """The link's state in words."""
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


def _mtu_changes(node: NodeSpec, other: NodeSpec, interface: str, mtu: int) -> tuple[bulk.BulkChange, ...]:
    if node.kind is not Kind.SWITCH:
        return (c.SetLink(interface, mtu=mtu),)
    # The port of a host takes everything, and the host's end drops it: bridge netfilter would cut packets to the MTU
    # of the port, where it may (no DF), as no switch does. And a packet yet to be cut would pass for a small one.
    port = mtu if other.kind is Kind.SWITCH else max(mtu, _SWITCH_MTU)
    segments = bulk.LimitSegments(interface, 1) if mtu < _SWITCH_MTU else bulk.LimitSegments(interface)
    return c.SetLink(interface, mtu=port), segments


def _refuse_both(link: Link) -> None:
    if link.quality.rate_mbit is not None and link.quality.delay_ms > 0:
        raise Unsupported(f"the link {link} cannot have a rate and a delay at once: put them on two links in a row")


def _look_into_frames(switch: NodeSpec) -> None:
    try:
        sysctl.write(switch.where, rules.SWITCH_SYSCTLS)
    except NotThere as error:
        raise Unsupported(f"no bridge netfilter (module br_netfilter): no loss towards switch {switch.name}") from error
