"""Each finding, from facts that provoke only this one; and a fit host, which has no findings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from agent.survey import Kernel, Rules
from host.preflight.facts import (
    AGENT,
    DENIED,
    MASTER,
    Addresses,
    BaseChain,
    Cgroup,
    Cidrs,
    Engine,
    Facts,
    Firewalld,
    Machine,
    Master,
)
from host.preflight.finding import Severity, errors, text
from host.preflight.judges import judge
from host.preflight.rules import blocking
from host.services.snippets import SNIPPETS

GIB = 1 << 30
WORKS = dict.fromkeys(("namespace", "veth", "bridge", "vxlan", "conntrack", "forwarding"), "")
FIT = Facts(
    role=AGENT,
    node_name="node-1",
    machine=Machine(
        root=True, python=(3, 11), memory_bytes=4 * GIB, swap_bytes=0, disks={"/var/lib": (30 * GIB, 50 * GIB)}
    ),
    cgroup=Cgroup(2, frozenset({"cpu", "memory", "io"})),
    engine=Engine(
        Path("/run/docker.sock"),
        name="Docker",
        version="20.10.24",
        api_version=(1, 41),
        storage_driver="overlay2",
        cgroup_driver="systemd",
    ),
    kernel=Kernel(WORKS, {"legacy": Rules(), "nft": Rules(foreign=("nat: -A POSTROUTING -j X",))}, "nft"),
    addresses=Addresses(
        node_address="10.0.0.7",
        interface="eth1",
        routes=((IPv4Network("10.0.0.0/24"), "eth1"), (IPv4Network("10.244.3.0/24"), "sampan.vxlan")),
        addresses=(
            (IPv4Interface("127.0.0.1/8"), "lo"),
            (IPv4Interface("10.0.0.7/24"), "eth1"),
            (IPv4Interface("10.244.3.0/32"), "sampan.vxlan"),
        ),
        nameservers=(IPv4Address("10.0.0.1"),),
    ),
    cidrs=Cidrs(IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16"), asked=True),
    ports={"4789/udp": ""},
    sysctls={"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "2", "net/ipv4/conf/eth1/rp_filter": "1"},
    master=Master("https://10.0.0.1:6443", clock_ahead_s=0.4),
)
MORE_LINKS = ((IPv4Interface("10.0.0.7/24"), "eth1"), (IPv4Interface("192.0.2.7/24"), "eth0"))


def but(**change: Any) -> Facts:
    """The fit host with some facts changed; `part__field` is a field of a part."""
    facts = FIT
    for name, value in change.items():
        part, _, field = name.partition("__")
        facts = replace(facts, **{part: replace(getattr(facts, part), **{field: value}) if field else value})
    return facts


def features(**failed: str) -> Kernel:
    assert FIT.kernel is not None
    return replace(FIT.kernel, features=WORKS | failed)


def variants(chosen: str, **rules: Rules) -> Kernel:
    return Kernel(WORKS, rules, chosen)


E, W = Severity.ERROR, Severity.WARNING
PROVOKED = [
    ("not-root", E, but(machine__root=False, kernel=None)),
    ("not-root", E, but(machine__root=False, kernel=None, engine__problem=DENIED)),
    ("engine-answer", E, but(engine__problem=DENIED)),
    ("python-version", E, but(machine__python=(3, 9))),
    ("memory", E, but(machine__memory_bytes=GIB // 8)),
    ("memory", W, but(machine__memory_bytes=GIB // 2)),
    ("disk-space", E, but(machine__disks={"/var/lib": (GIB // 10, 50 * GIB)})),
    ("disk-space", W, but(machine__disks={"/var/lib": (3 * GIB, 50 * GIB)})),
    ("swap", W, but(machine__swap_bytes=GIB)),
    ("cgroup", E, but(cgroup=Cgroup(0, frozenset()))),
    ("cgroup-controllers", W, but(cgroup=Cgroup(1, frozenset({"cpu"})))),
    ("cgroup-driver", W, but(engine__cgroup_driver="cgroupfs")),
    ("engine-socket", E, but(engine=Engine(Path("/run/docker.sock"), problem="absent"))),
    ("engine-answer", E, but(engine=Engine(Path("/run/docker.sock"), problem="Connection refused"))),
    ("engine-version", E, but(engine__api_version=(1, 40))),
    ("engine-podman", W, but(engine__name="Podman")),
    ("engine-storage", W, but(engine__storage_driver="vfs")),
    *((f"kernel-{name}", W if name == "bridge" else E, but(kernel=features(**{name: "no"}))) for name in WORKS),
    ("ip-forward", W, but(sysctls={"net/ipv4/ip_forward": "0"})),
    ("rp-filter", W, but(sysctls={"net/ipv4/conf/all/rp_filter": "1"}, addresses__addresses=MORE_LINKS)),
    ("bridge-netfilter", W, but(sysctls={"net/bridge/bridge-nf-call-iptables": "1"}, addresses__bridge=True)),
    ("iptables", E, but(kernel=variants(""))),
    ("iptables-rules", E, but(kernel=variants("nft", nft=Rules("target MASQUERADE: no such target")))),
    (
        "iptables-variant",
        W,
        but(kernel=variants("legacy", legacy=Rules(), nft=Rules(foreign=("filter: :FORWARD DROP [0:0]",)))),
    ),
    ("vxlan-blocked", W, but(kernel=variants("nft", nft=Rules(foreign=("filter: :INPUT DROP [0:0]",))))),
    ("nftables-drops", W, but(nftables=(BaseChain("inet filter input", "input", "its policy is drop"),))),
    ("nftables-drops", W, but(nftables=(BaseChain("inet filter forward", "forward", "its policy is drop"),))),
    ("node-address", E, but(addresses__node_address="", addresses__interface="")),
    ("node-address", E, but(addresses__node_address="127.0.0.1", addresses__interface="lo")),
    ("node-address", E, but(addresses__node_address="10.0.0.8", addresses__interface="")),
    (
        "cluster-cidr",
        E,
        but(addresses__routes=((IPv4Network("10.0.0.0/8"), "tun0"),), cidrs__service=IPv4Network("172.30.0.0/16")),
    ),
    ("cluster-cidr", E, but(addresses__addresses=((IPv4Interface("10.244.9.9/24"), "br0"),))),
    ("service-cidr", E, but(addresses__routes=((IPv4Network("10.96.4.0/24"), "wg0"),))),
    ("nameserver-cidr", E, but(addresses__nameservers=(IPv4Address("10.96.0.10"),))),
    ("mtu", E, but(addresses__mtu=600)),
    ("mtu", W, but(addresses__mtu=1280)),
    ("port-in-use", E, but(ports={"4789/udp": "Address already in use"})),
    ("port-in-use", E, but(role=MASTER, master=None, ports={"6443/tcp": "Address already in use", "6444/tcp": ""})),
    ("networkmanager", W, but(active=frozenset({"NetworkManager"}))),
    ("networkd", W, but(active=frozenset({"systemd-networkd"}))),
    ("firewalld", W, but(active=frozenset({"firewalld"}))),
    ("firewalld", W, but(active=frozenset({"firewalld"}), firewalld=Firewalld(ports=frozenset({"4789/udp"})))),
    ("ufw", W, but(active=frozenset({"ufw"}), kernel=variants("nft", nft=Rules(foreign=("filter: :INPUT DROP",))))),
    ("ufw", W, but(role=MASTER, master=None, engine=None, kernel=None, active=frozenset({"ufw"}))),
    ("node-name", E, but(node_name="Node_1")),
    ("node-name", E, but(node_name="n" * 53)),
    ("master-answer", E, but(master=Master("https://10.0.0.1:6443", problem="Connection refused"))),
    ("master-trust", E, but(master__distrust="the CA is sha256:0, not sha256:1")),
    ("clock", W, but(master__clock_ahead_s=-9.0)),
    ("certificate-time", E, but(master__validity="its CA begins at 2030-01-01")),
    ("join-token", E, but(master__refusal="the join token is not valid")),
    ("node-name-taken", E, but(master__name_taken='a node "node-1" already exists')),
    ("node-address-taken", E, but(master__address_taken_by="node-2")),
]


def test_a_fit_host_has_no_findings() -> None:
    assert judge(FIT) == []
    assert judge(replace(FIT, role=MASTER, engine=None, kernel=None, master=None, ports={"6443/tcp": ""})) == []


@pytest.mark.parametrize(("id_", "severity", "facts"), PROVOKED, ids=[f"{id_}-{e}" for id_, e, _ in PROVOKED])
def test_each_finding_comes_from_its_own_cause_alone(id_: str, severity: Severity, facts: Facts) -> None:
    (finding,) = judge(facts)
    assert (finding.id, finding.severity) == (id_, severity)
    assert finding.seen
    assert finding.remedy
    assert "\n" not in finding.seen + finding.remedy


def test_a_manager_with_our_snippet_is_not_a_finding() -> None:
    assert judge(but(active=frozenset(SNIPPETS), left_alone=frozenset(SNIPPETS))) == []
    findings = judge(but(active=frozenset(SNIPPETS)))
    for finding, snippet in zip(findings, SNIPPETS.values(), strict=True):
        assert shlex.split(finding.remedy)[:4] == ["printf", snippet.content.replace("\n", "\\n"), ">", snippet.path]
        assert "sampan.vxlan" in finding.remedy


UFW = [
    ":INPUT DROP [0:0]",
    "-A INPUT -j before",
    "-A before -p icmp -m icmp --icmp-type 8 -j ACCEPT",
    "-A before -j local",
    "-A local -m addrtype --dst-type LOCAL -j RETURN",
    "-A local -j DROP",
    "-A before -j user",
]


@pytest.mark.parametrize(
    ("lines", "blocked"),
    [
        pytest.param([], False, id="no rules"),
        pytest.param([":INPUT DROP [0:0]"], True, id="policy"),
        pytest.param([":INPUT DROP [0:0]", "-A INPUT -p udp -m udp --dport 4789 -j ACCEPT"], False, id="let in"),
        pytest.param([":INPUT DROP [0:0]", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"], True, id="ssh only"),
        pytest.param([":INPUT DROP [0:0]", "-A INPUT -i lo -j ACCEPT"], True, id="loopback only"),
        pytest.param(
            [":INPUT DROP [0:0]", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"],
            True,
            id="answers only",
        ),
        pytest.param(
            [":INPUT DROP [0:0]", "-A INPUT -s 10.0.0.0/24 -p udp -m udp --dport 4789 -j ACCEPT"],
            False,
            id="from nodes",
        ),
        pytest.param(["-A INPUT -p udp -m udp --dport 4000:5000 -j DROP"], True, id="a range"),
        pytest.param(["-A INPUT -p udp -m udp --dport 53 -j DROP"], False, id="another port"),
        pytest.param(["-A INPUT -p udp -m multiport --dports 53,4789 -j DROP"], True, id="several ports"),
        pytest.param(["-A INPUT -j REJECT --reject-with icmp-host-prohibited"], True, id="the last rule"),
        pytest.param(
            ["-A INPUT -p udp -m udp --dport 4789 -j ACCEPT", "-A INPUT -j REJECT"], False, id="let in before the last"
        ),
        pytest.param([*UFW, "-A user -p udp -m udp --dport 4789 -j ACCEPT"], False, id="let in by another chain"),
        pytest.param([*UFW, "-A user -p tcp -m tcp --dport 4789 -j ACCEPT"], True, id="another protocol"),
        pytest.param(["-A INPUT -j a", "-A a -j INPUT", "-A a -j a", "-A INPUT -j DROP"], True, id="a circle"),
    ],
)
def test_rules_that_drop_vxlan_are_found(lines: list[str], blocked: bool) -> None:
    assert bool(blocking(Rules(foreign=tuple(f"filter: {line}" for line in lines)), "4789/udp")) is blocked


def test_errors_can_be_ignored_by_id_or_all() -> None:
    findings = judge(but(machine__swap_bytes=GIB, ports={"4789/udp": "in use"}, engine__api_version=(1, 20)))
    assert sorted(each.id for each in errors(findings)) == ["engine-version", "port-in-use"]
    assert [each.id for each in errors(findings, ["port-in-use"])] == ["engine-version"]
    assert errors(findings, ["all"]) == []


def test_findings_are_printed_errors_first_and_as_json() -> None:
    findings = judge(but(machine__swap_bytes=GIB, ports={"4789/udp": "in use"}))
    lines = text(findings).splitlines()
    assert [line.split()[:2] for line in lines[::2]] == [["ERROR", "port-in-use:"], ["WARNING", "swap:"]]
    documents: list[Mapping[str, str]] = json.loads(json.dumps([dict(each.document()) for each in findings]))
    assert documents[0].keys() == {"id", "severity", "seen", "remedy"}


def test_the_table_of_causes_knows_every_part_of_the_facts() -> None:
    """A fact that no cause changes would be judged by no test."""
    changed = {
        field.name
        for _, _, facts in PROVOKED
        for field in fields(Facts)
        if getattr(facts, field.name) != getattr(FIT, field.name)
    }
    assert changed | {"left_alone"} == {field.name for field in fields(Facts)}
