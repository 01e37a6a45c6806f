"""Findings of the preflight, provoked for real: on throw-away hosts, by `sampan check` as a person runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import survey
from netrig.topology.node import Node
from netrig.topology.topology import Topology
from netstack import namespaces, trial

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-P", "-m", "cli"]
CHECK = [*COMMAND, "check", "--engine-socket", "/nonexistent.sock", "-o", "json"]
MASTER = "10.0.0.2"
ALWAYS = {"engine-socket", "master-answer"}
"""Findings on every host here: it has no engine, and its master does not listen."""
MAYBE = {"swap", "memory", "disk-space", "cgroup-controllers", "ip-forward", "networkmanager", "networkd", "ufw"}
"""Findings that the machine may have that runs the tests; other tests provoke each of them."""

Find = Callable[..., dict[str, str]]


@pytest.fixture
def host(topology: Topology) -> Node:
    """A host with a link to the address of a master."""
    a, b = topology.host("a"), topology.host("b")
    topology.link(a, b, address="10.0.0.1/24", peer_address=f"{MASTER}/24")
    topology.start()
    return a


@pytest.fixture
def find(host: Node, tmp_path: Path) -> Find:
    """The findings of the check by id. `before` is a command that runs the check, which it gets as its arguments."""

    def run(*options: str, before: tuple[str, ...] = ()) -> dict[str, str]:
        config = tmp_path / "agent.toml"
        config.write_text(f'state_dir = "{tmp_path}/state"\nnode_name = "a"\nmaster = "https://{MASTER}:6443"\n')
        words = [*before, *CHECK, "--config", str(config), *options]
        done = host.run(words, check=False)
        findings = json.loads(done.stdout)
        has_error = any(finding["severity"] == "error" for finding in findings)
        assert done.returncode == (1 if has_error else 0), done.stderr
        return {item["id"]: item["seen"] for item in findings if item["id"] not in ALWAYS | MAYBE}

    return run


def test_a_plain_host_has_no_findings(find: Find) -> None:
    assert find() == {}


WIDE = "ip route add 10.0.0.0/8 via 10.0.0.2"
OTHER = "ip link add other type vxlan id 9 dstport 4789 local 10.0.0.1 && ip link set other up"
STRICT = "ip link add x type veth; ip address add 10.9.9.1/24 dev x; sysctl -w net.ipv4.conf.all.rp_filter=1"
BOTH = "iptables-legacy -A FORWARD -j ACCEPT; iptables-nft -A INPUT -p tcp -j ACCEPT"
RANGE = "iptables-nft -A INPUT -p udp --dport 4000:5000 -j DROP"


@pytest.mark.parametrize(
    ("id_", "command", "seen"),
    [
        pytest.param("cluster-cidr", "ip route add 10.244.7.0/24 dev {link}", "10.244.7.0/24", id="a route to pods"),
        pytest.param("cluster-cidr", "ip address add 10.244.0.9/16 dev {link}", "10.244.0.9/16", id="an address"),
        pytest.param("service-cidr", WIDE, "10.0.0.0/8", id="a wide route"),
        pytest.param("mtu", "ip link set {link} mtu 1300", "1300", id="a small MTU"),
        pytest.param("mtu", "ip link set {link} mtu 600", "600", id="a tiny MTU"),
        pytest.param("port-in-use", OTHER, "4789/udp", id="another VXLAN"),
        pytest.param("rp-filter", STRICT, "strict", id="strict filtering"),
        pytest.param("vxlan-blocked", "iptables-legacy -P INPUT DROP", ":INPUT DROP", id="a policy"),
        pytest.param("vxlan-blocked", RANGE, "4000:5000", id="a rule"),
        pytest.param("iptables-variant", BOTH, "both variants", id="two variants"),
        pytest.param("node-address", "ip address flush dev {link}", "no route to the master", id="no address"),
    ],
)
def test_each_problem_is_found(host: Node, find: Find, id_: str, command: str, seen: str) -> None:
    link = next(link.name for link in host.links() if link.name != "lo")
    host.run(["sh", "-c", command.format(link=link)], check=False)
    findings = find()
    assert id_ in findings, findings
    assert seen in findings[id_]


NATIVE = """\
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iif lo accept
        tcp dport { 22, 80-81 } accept
    }
    chain forward { type filter hook forward priority filter; policy drop; }
    chain output { type filter hook output priority filter; policy accept; accept; }
}
"""
"""Rules as many Debian hosts have them in /etc/nftables.conf."""


def test_drops_of_nftables_rules_are_found_and_the_remedies_work(host: Node, find: Find, tmp_path: Path) -> None:
    (tmp_path / "nftables.conf").write_text(NATIVE)
    host.run(["nft", "-f", str(tmp_path / "nftables.conf")])
    done = host.run([*CHECK, "--config", str(tmp_path / "agent.toml")], check=False) if find() else None
    assert done is not None
    findings = [item for item in json.loads(done.stdout) if item["id"] == "nftables-drops"]
    assert [item["seen"].split(":")[0] for item in findings] == [
        "chain inet filter input of nftables drops 4789/udp",
        "chain inet filter forward of nftables drops packets forwarded from pods, packets forwarded to pods",
    ]
    for finding in findings:
        host.run(["sh", "-euc", finding["remedy"]])
    assert "nftables-drops" not in find()


def test_nftables_rules_on_a_master_are_checked_for_its_ports(host: Node, tmp_path: Path) -> None:
    def drops() -> list[dict[str, str]]:
        done = host.run([*CHECK, "--role", "master"], check=False)
        return [item for item in json.loads(done.stdout) if item["id"] == "nftables-drops"]

    (tmp_path / "nftables.conf").write_text(NATIVE)
    host.run(["nft", "-f", str(tmp_path / "nftables.conf")])
    (finding,) = drops()
    assert "6443/tcp, 6444/tcp" in finding["seen"]
    host.run(["sh", "-euc", finding["remedy"]])
    assert drops() == []


def test_disabled_forwarding_is_found(host: Node, tmp_path: Path) -> None:
    host.run(["sysctl", "-w", "net.ipv4.ip_forward=0"])
    done = host.run(CHECK, check=False)
    assert "ip-forward" in {finding["id"] for finding in json.loads(done.stdout)}


def test_a_node_address_that_no_link_has_is_found(find: Find) -> None:
    assert "203.0.113.5" in find("--node-address", "203.0.113.5")["node-address"]


def test_a_missing_right_to_create_namespaces_is_found(find: Find) -> None:
    findings = find(before=("setpriv", "--bounding-set", "-sys_admin"))
    assert "kernel-namespace" in findings


def test_a_host_without_iptables_is_found(find: Find) -> None:
    hidden = 'for directory in /usr/sbin /sbin; do mount -t tmpfs tmpfs $directory; done; exec "$@"'
    assert "iptables" in find(before=("unshare", "--mount", "sh", "-c", hidden, "sh"))


def test_a_resolver_inside_the_services_network_is_found(find: Find, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 10.96.0.10\n")
    bound = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
    assert "10.96.0.10" in find(before=("unshare", "--mount", "sh", "-c", bound, "sh"))["nameserver-cidr"]


def test_a_full_disk_is_found(host: Node, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "master.toml").write_text(f'data_dir = "{tmp_path}/small/master"\n')
    mounted = f'mount -t tmpfs -o size=1m tmpfs {tmp_path}/small && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mounted, "sh", *CHECK, "--role", "master"]
    done = host.run([*words, "--config", str(tmp_path / "master.toml")], check=False)
    assert done.returncode == 1, done.stderr
    assert "disk-space" in {finding["id"] for finding in json.loads(done.stdout)}


@pytest.mark.parametrize("port", [6443, 6444])
def test_a_port_of_the_master_that_is_in_use_is_found(host: Node, port: int) -> None:
    def findings() -> dict[str, str]:
        done = host.run([*CHECK, "--role", "master"], check=False)
        return {finding["id"]: finding["seen"] for finding in json.loads(done.stdout)}

    assert "port-in-use" not in findings()
    with host.open_socket() as listener:
        listener.bind(("10.0.0.1", port))
        listener.listen()
        assert f"{port}/tcp" in findings()["port-in-use"]


def test_the_trials_succeed_and_leave_nothing(host: Node) -> None:
    where = host.where
    before = set(namespaces.names())
    kernel = namespaces.run_in(where, survey.kernel)
    assert set(kernel.features.values()) == {""}
    assert [variant.problem for variant in kernel.variants.values()] == ["", ""]
    made = set(namespaces.names()) - before
    # Other tests may create labs at the same time.
    assert [name for name in made if not name.startswith(("topo-", "sampan-"))] == []
    assert len(host.links()) == 2, "expected lo and the link to the master"


def test_a_rule_that_the_kernel_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {**trial.RULES, "match nosuch": ("filter", "-m nosuch -j RETURN")}
    monkeypatch.setattr(trial, "RULES", rules)
    variants = trial.variants()
    assert {name: variant.problem.split(":")[0] for name, variant in variants.items()} == {
        "legacy": "match nosuch",
        "nft": "match nosuch",
    }
