"""Finds out which of the features that netstack needs this kernel has, by trying each in a nameless namespace.

Files below /proc say which modules are loaded, but not which the kernel would load or whether they work here. The
namespace ends with the trial, and the host's own network is not touched. The module also lists the rules of others on
the host, by variant of iptables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from typing import Final

from netstack import changes as c
from netstack import namespaces
from netstack.desired import NodeSettings
from netstack.errors import NetstackError
from netstack.kernel import HostKernel
from netstack.netlink import conntrack
from netstack.overlay.vxlan import PORT, VNI
from netstack.services import iptables
from netstack.services.flows import UDP
from netstack.services.iptables import LEGACY, NFT
from netstack.services.names import chain_names

RULES: Final[Mapping[str, tuple[str, str]]] = {
    "match comment": ("filter", '-m comment --comment "sampan: a" -j RETURN'),
    "match mark": ("filter", "-m mark --mark 0x2000/0x2000 -j RETURN"),
    "match addrtype": ("filter", "-m addrtype --dst-type LOCAL -j RETURN"),
    "match tcp": ("filter", "-p tcp -m tcp --dport 80 -j RETURN"),
    "match udp": ("filter", "-p udp -m udp --dport 53 -j RETURN"),
    "match statistic": ("filter", "-m statistic --mode random --probability 0.5 -j RETURN"),
    "target REJECT": ("filter", "-j REJECT --reject-with icmp-port-unreachable"),
    "target REJECT (tcp-reset)": ("filter", "-p tcp -j REJECT --reject-with tcp-reset"),
    "target MARK": ("nat", "-j MARK --set-xmark 0x2000/0x2000"),
    "target DNAT": ("nat", "-p tcp -j DNAT --to-destination 192.0.2.1:80"),
    "target MASQUERADE": ("nat", "-j MASQUERADE"),
}
"""Every match and target that services/rules.py writes: the table, and the shortest possible rule."""

_CHAIN: Final = "SAMPAN-TRIAL"


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of iptables on this host."""

    problem: str
    """Why its tables cannot be used; empty if they can."""
    foreign: tuple[str, ...]
    """Rules and policies of others in the host's own tables: `table: line`, where the line is from iptables-save."""


def features() -> dict[str, str]:
    """The problem of each feature by its name; empty if it works. If `namespace` fails, nothing else is tried."""
    try:
        with namespaces.nameless() as where:
            kernel = HostKernel(where)
            try:
                return {"namespace": ""} | {
                    name: _problem(attempt) for name, attempt in _attempts(kernel, where).items()
                }
            finally:
                kernel.close()
    except (NetstackError, OSError) as error:
        return {"namespace": str(error)}


def variants() -> dict[str, Variant]:
    """The installed variants of iptables: the problem of each, and the rules that the host has in it."""
    installed: dict[str, Variant] = {}
    for name in (LEGACY, NFT):
        tool = iptables.tool_of(name, None)
        if tool is not None:
            installed[name] = Variant(_variant_problem(name), tuple(_foreign(iptables.saved_by(tool))))
    return installed


def chosen() -> str:
    """The variant that the node's rules would go to; empty if none works."""
    try:
        return iptables.choose(None, chain_names(_owner()).prefix).variant
    except NetstackError:
        return ""


def _attempts(kernel: HostKernel, where: str) -> dict[str, Callable[[], object]]:
    vxlan = c.AddVxlan("trial-vxlan", VNI, IPv4Address("127.0.0.1"), PORT, "0a:58:00:00:00:01", 1400, up=False)
    return {
        "veth": lambda: kernel.host.change([c.AddVeth("trial-a", "trial-b", up=False)]),
        "bridge": lambda: kernel.host.change([c.AddBridge("trial-bridge", up=False)]),
        "vxlan": lambda: kernel.host.change([vxlan]),
        "conntrack": lambda: conntrack.flows(where, {UDP}),
        "forwarding": lambda: kernel.write_sysctls({"net/ipv4/ip_forward": "1"}),
    }


def _problem(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (NetstackError, OSError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _variant_problem(name: str) -> str:
    """Tries all rules at once. Only if that fails, tries each by itself to name those that fail."""
    if not _restore_problem(name, RULES):
        return ""
    failed = {
        feature: problem for feature, rule in RULES.items() if (problem := _restore_problem(name, {feature: rule}))
    }
    if not failed:
        return _restore_problem(name, RULES)
    return f"{', '.join(failed)}: {next(iter(failed.values()))}"


def _restore_problem(name: str, rules: Mapping[str, tuple[str, str]]) -> str:
    """The error of iptables-restore for these rules in a namespace of their own; empty if it accepts them."""
    lines = []
    for table in dict.fromkeys(table for table, _ in rules.values()):
        lines += [f"*{table}", f":{_CHAIN} - [0:0]"]
        lines += [f"-A {_CHAIN} {rule}" for rule_table, rule in rules.values() if rule_table == table]
        lines.append("COMMIT")
    text = "\n".join(lines) + "\n"
    try:
        with namespaces.nameless() as where:
            tool = iptables.tool_of(name, where)
            return _problem(partial(tool.restore, text)) if tool else ""
    except OSError as error:
        return str(error)


def _foreign(saved: str) -> list[str]:
    """Rules that are not ours, and policies other than ACCEPT."""
    ours = re.compile(rf"^-A {chain_names(_owner()).prefix}| -j {chain_names(_owner()).prefix}")
    foreign, table = [], ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif (line.startswith("-A ") and not ours.search(line)) or re.match(r":\S+ DROP", line):
            foreign.append(f"{table}: {line}")
    return foreign


def _owner() -> str:
    return str(NodeSettings.__dataclass_fields__["owner"].default)
