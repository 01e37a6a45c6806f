"""Pod links: a routed veth for each pod, no bridge.

The pod's eth0 has its address as a /32. Its gateway is 169.254.1.1, which no link owns: a permanent neighbour entry
maps it to the MAC of the host's end. The host has a permanent neighbour entry for the pod and a route to its /32. All
names and MACs derive from the pod's uid and address, so an audit can judge existing links without a record. A record on
disk (address, namespace and its identity) lets an audit rebuild a link that vanished.

This module owns the links named sp…; ipam.py owns the addresses.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from netstack import changes as c
from netstack import ipv6
from netstack.changes import Change
from netstack.desired import HostPort, Repair
from netstack.errors import NamespaceMissing, NetstackError, NotThere
from netstack.kernel import Kernel
from netstack.network import Network
from netstack.overlay.vxlan import mac_of
from netstack.state import SCOPE_LINK, Address, Neighbour, Route, Snapshot

GATEWAY: Final = IPv4Address("169.254.1.1")
POD_LINK: Final = "eth0"
# The host's end has the same MAC for every pod: nobody has to look it up, and each pod is alone on its link.
HOST_MAC: Final = mac_of(IPv4Interface((GATEWAY, 32)))
_HOST_LINK: Final = re.compile(r"sp[0-9a-f]{12}")
# Path MTU discovery by RFC 4821, which the kernel starts when segments vanish. Nobody sends an ICMP error when two
# nodes have different MTUs, so a connection that was open when the MTU shrank would hang forever.
_SYSCTLS: Final = {"net/ipv4/tcp_mtu_probing": "1"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PodLink:
    """The record of one pod. The namespace is a path, `identity` the device and inode behind it.

    `ports` are the host ports that lead to the pod (services/hostports.py).
    """

    uid: str
    address: IPv4Address
    namespace: str
    identity: tuple[int, int]
    ports: tuple[HostPort, ...] = ()

    @property
    def host_link(self) -> str:
        return host_link_name(self.uid)

    @property
    def mac(self) -> str:
        return mac_of(IPv4Interface((self.address, 32)))


def host_link_name(uid: str) -> str:
    """sp and 12 hexadecimal digits, within the kernel's limit of 15 characters."""
    return "sp" + hashlib.sha256(uid.encode()).hexdigest()[:12]


def is_host_link(name: str) -> bool:
    return _HOST_LINK.fullmatch(name) is not None


def connect(kernel: Kernel, pod: PodLink, where: str, *, mtu: int) -> None:
    """Create the pod's link, or complete an existing one. `where` is the pod's namespace, pinned (Kernel.pinned).

    Raises NamespaceMissing and kernel errors.
    """
    inside = kernel.open_network(where)
    try:
        host_end = kernel.host.link(pod.host_link)
        pod_end = inside.link(POD_LINK)
        if host_end is not None and (pod_end is None or pod_end.mac != pod.mac):
            # The link leads to an earlier sandbox of the same pod, whose namespace still exists.
            kernel.host.change([c.DeleteLink(pod.host_link)])
            host_end = None
        if host_end is None:
            kernel.host.change([_veth(pod, where, mtu)])
        elif host_end.mtu != mtu:
            # Before IPv6 is closed, because a link that becomes large enough for IPv6 gets new parameters.
            kernel.host.change([c.SetLink(pod.host_link, mtu=mtu)])
        ipv6.close(kernel, pod.host_link)
        kernel.host.change([c.SetLink(pod.host_link, up=True, mac=HOST_MAC)])
        inside.change(_inside(pod, mtu))
    finally:
        inside.close()
    kernel.write_sysctls(_SYSCTLS, where)
    # The host's route comes last, because it makes the pod reachable.
    kernel.host.change([c.SetNeighbour(_neighbour(pod)), c.SetRoute(_route(pod))])


def disconnect(host: Network, uid: str) -> None:
    """Remove the pod's link; its route and neighbours go with it."""
    host.change([c.DeleteLink(host_link_name(uid))])


def strays(observed: Snapshot, uids: Iterable[str]) -> list[str]:
    """Pod links of ours on the host that belong to none of these pods."""
    known = {host_link_name(uid) for uid in uids}
    return [
        link.name
        for link in observed.links
        if is_host_link(link.name) and link.kind == "veth" and link.name not in known
    ]


def audit(kernel: Kernel, pods: Iterable[PodLink], observed: Snapshot, *, mtu: int) -> list[Repair]:
    """Repair the host's side of each pod's link, and the pod's side if the link or its MTU had to be set again.

    Raises the last refusal, after checking all pods.
    """
    repairs: list[Repair] = []
    refusal: NetstackError | None = None
    present = _Present(observed)
    for pod in pods:
        try:
            repairs += _audit_pod(kernel, pod, present, mtu)
        except NetstackError as error:
            logger.error("pod %s, %s on %s: %s", pod.uid, pod.address, pod.host_link, error)
            refusal = error
    if refusal is not None:
        raise refusal
    return repairs


class _Present:
    """A snapshot, indexed by the keys that pods look up."""

    def __init__(self, observed: Snapshot) -> None:
        self.routes = {route.destination: route for route in observed.routes}
        self.neighbours = {(entry.link, entry.address): entry for entry in observed.neighbours}
        self.links = {link.name: link for link in observed.links}


def _audit_pod(kernel: Kernel, pod: PodLink, present: _Present, mtu: int) -> list[Repair]:
    link = present.links.get(pod.host_link)
    if link is None:
        return _rebuild(kernel, pod, mtu, "link recreated")
    if link.mtu != mtu:
        # The underlay's MTU has changed. Change both ends, because the host's end drops larger packets of the pod.
        return _rebuild(kernel, pod, mtu, f"MTU {link.mtu} is now {mtu}")
    repairs = []
    if ipv6.close(kernel, pod.host_link):
        repairs.append(Repair("pod", f"{pod.address} on {pod.host_link}: IPv6 switched off"))
    steps: list[Change] = []
    if not link.up or link.mac != HOST_MAC:
        steps.append(c.SetLink(pod.host_link, up=True, mac=HOST_MAC))
    neighbour, route = _neighbour(pod), _route(pod)
    if present.neighbours.get((pod.host_link, pod.address)) != neighbour:
        steps.append(c.SetNeighbour(neighbour))
    if not link.up or present.routes.get(route.destination) != route:
        steps.append(c.SetRoute(route))
    if steps and _repair(kernel.host, steps):
        repairs.append(Repair("pod", f"{pod.address} on {pod.host_link}: {_kinds(steps)}"))
    return repairs


def _repair(host: Network, steps: list[Change]) -> bool:
    """Apply the steps. False if a link vanished with its sandbox meanwhile; the next audit handles that."""
    try:
        host.change(steps)
    except NotThere:
        return False
    return True


def _rebuild(kernel: Kernel, pod: PodLink, mtu: int, what: str) -> list[Repair]:
    """Recreate both ends of a link, if the pod's namespace is still the recorded one."""
    try:
        with kernel.pinned(pod.namespace) as where:
            if kernel.identity(where) != pod.identity:
                return []
            connect(kernel, pod, where, mtu=mtu)
    except (NamespaceMissing, NotThere):
        return []  # the sandbox ended with its namespace: its owner will detach the pod
    return [Repair("pod", f"{pod.address} on {pod.host_link}: {what}")]


def _veth(pod: PodLink, where: str, mtu: int) -> c.AddVeth:
    """The host's end stays down until IPv6 is switched off."""
    return c.AddVeth(
        name=pod.host_link,
        peer=POD_LINK,
        peer_namespace=where,
        mtu=mtu,
        mac=HOST_MAC,
        peer_mac=pod.mac,
        up=False,
    )


def _inside(pod: PodLink, mtu: int) -> list[Change]:
    return [
        c.SetLink("lo", up=True),
        c.SetLink(POD_LINK, up=True, mtu=mtu),
        c.SetAddress(Address(POD_LINK, IPv4Interface((pod.address, 32)))),
        c.SetNeighbour(Neighbour(POD_LINK, GATEWAY, HOST_MAC)),
        c.SetRoute(Route(IPv4Network((GATEWAY, 32)), POD_LINK, scope=SCOPE_LINK)),
        c.SetRoute(Route(c.DEFAULT, POD_LINK, gateway=GATEWAY)),
    ]


def _neighbour(pod: PodLink) -> Neighbour:
    return Neighbour(pod.host_link, pod.address, pod.mac)


def _route(pod: PodLink) -> Route:
    return Route(IPv4Network((pod.address, 32)), pod.host_link, scope=SCOPE_LINK)


def _kinds(steps: Iterable[Change]) -> str:
    words = {c.SetLink: "link", c.SetNeighbour: "neighbour", c.SetRoute: "route"}
    return ", ".join(words[type(step)] for step in steps)
