"""Features that the kernel lacks, as the probes showed, and sysctls that cause trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from host.preflight.facts import AGENT, Facts
from host.preflight.finding import Finding, error, warning

_MISSING: Final[Mapping[str, tuple[str, str]]] = {
    "namespace": ("network namespaces", "use a kernel with CONFIG_NET_NS; in a container, give it CAP_SYS_ADMIN"),
    "veth": ("veth pairs", "modprobe veth"),
    "vxlan": ("VXLAN devices", "modprobe vxlan (in some distributions: linux-modules-extra)"),
    "conntrack": ("connection tracking", "modprobe nf_conntrack nf_conntrack_netlink"),
    "forwarding": ("IPv4 forwarding", "allow writing /proc/sys/net: mount -o remount,rw /proc/sys"),
}


def judge(facts: Facts) -> Iterator[Finding]:
    if facts.role != AGENT:
        return
    if facts.kernel is not None:
        for feature, problem in facts.kernel.features.items():
            if problem and feature == "bridge":
                yield warning(
                    "kernel-bridge", f"bridges do not work: {problem}", "modprobe bridge; only labs need them"
                )
            elif problem:
                what, remedy = _MISSING[feature]
                yield error(f"kernel-{feature}", f"no {what} here: {problem}", remedy)
    yield from _sysctls(facts)


def _sysctls(facts: Facts) -> Iterator[Finding]:
    sysctls, addresses = facts.sysctls, facts.addresses
    if sysctls.get("net/ipv4/ip_forward") == "0":
        yield warning(
            "ip-forward",
            "IPv4 forwarding is off; the agent turns it on, but another program may turn it off again",
            "echo net.ipv4.ip_forward=1 > /etc/sysctl.d/90-sampan.conf && sysctl --system",
        )
    # The kernel uses the larger of the two.
    strict = "1" in (sysctls.get("net/ipv4/conf/all/rp_filter"), sysctls.get(_own_filter(facts))) and "2" not in (
        sysctls.get("net/ipv4/conf/all/rp_filter"),
        sysctls.get(_own_filter(facts)),
    )
    if strict and len({link for _, link in addresses.addresses if link != "lo"}) > 1:
        yield warning(
            "rp-filter",
            f"strict reverse path filtering on {addresses.interface or 'all links'}: a host with several links drops "
            "packets that arrive on another link than the answer would leave by",
            "echo net.ipv4.conf.all.rp_filter=2 > /etc/sysctl.d/90-sampan.conf && sysctl --system",
        )
    if addresses.bridge and sysctls.get("net/bridge/bridge-nf-call-iptables") == "1":
        yield warning(
            "bridge-netfilter",
            f"{addresses.interface} is bridged and br_netfilter shows bridged packets to iptables: rules for "
            "forwarded packets apply to the overlay's as well",
            "sysctl -w net.bridge.bridge-nf-call-iptables=0, unless another program here needs it",
        )


def _own_filter(facts: Facts) -> str:
    return f"net/ipv4/conf/{facts.addresses.interface}/rp_filter"
