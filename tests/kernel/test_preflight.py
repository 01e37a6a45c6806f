"""Findings of the preflight, provoked for real: on throw-away hosts, by `sampan check` as a person runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import survey
from lab.topology.node import Node
from lab.topology.topology import Topology
from netstack import namespaces, trial

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-P", "-m", "cli"]
CHECK = [*COMMAND, "check", "--engine-socket", "/nonexistent.sock", "-o", "json"]
MASTER = "10.0.0.2"
ALWAYS = {"engine-socket", "master-answer"}
"""Of a host without engine whose master does not listen."""
MAYBE = {"swap", "memory", "disk-space", "cgroup-controllers", "ip-forward", "networkmanager", "networkd", "ufw"}
"""What the machine that runs the tests may have by itself; each of them is provoked elsewhere."""

Find = Callable[..., dict[str, str]]


@pytest.fixture
def host(topology: Topology) -> Node:
    """With a link to where a master would be."""
    a, b = topology.host("a"), topology.host("b")
    topology.link(a, b, address="10.0.0.1/24", peer_address=f"{MASTER}/24")
    topology.start()
    return a


@pytest.fixture
def find(host: Node, tmp_path: Path) -> Find:
    """What the check finds, by id; `before` runs in its place with the command as arguments."""

    def run(*options: str, before: tuple[str, ...] = ()) -> dict[str, str]:
        config = tmp_path / "agent.toml"
        config.write_text(f'state_dir = "{tmp_path}/state"\nnode_name = "a"\nmaster = "https://{MASTER}:6443"\n')
        words = [*before, *CHECK, "--config", str(config), *options]
        done = host.run(words, check=False)
        found = json.loads(done.stdout)
        assert done.returncode == (1 if any(each["severity"] == "error" for each in found) else 0), done.stderr
        return {each["id"]: each["seen"] for each in found if each["id"] not in ALWAYS | MAYBE}

    return run


def test_a_plain_host_has_nothing_to_find(find: Find) -> None:
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
        pytest.param("port-in-use", OTHER, "4789/udp", id="another's VXLAN"),
        pytest.param("rp-filter", STRICT, "strict", id="strict filtering"),
        pytest.param("vxlan-blocked", "iptables-legacy -P INPUT DROP", ":INPUT DROP", id="a policy"),
        pytest.param("vxlan-blocked", RANGE, "4000:5000", id="a rule"),
        pytest.param("iptables-variant", BOTH, "both variants", id="two variants"),
        pytest.param("node-address", "ip address flush dev {link}", "no route to the master", id="no address"),
    ],
)
def test_each_is_found(host: Node, find: Find, id_: str, command: str, seen: str) -> None:
    link = next(link.name for link in host.links() if link.name != "lo")
    host.run(["sh", "-c", command.format(link=link)], check=False)
    found = find()
    assert id_ in found, found
    assert seen in found[id_]


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
"""As many a Debian host has it in /etc/nftables.conf."""


def test_what_native_rules_drop_is_found_and_the_remedies_are_enough(host: Node, find: Find, tmp_path: Path) -> None:
    (tmp_path / "nftables.conf").write_text(NATIVE)
    host.run(["nft", "-f", str(tmp_path / "nftables.conf")])
    done = host.run([*CHECK, "--config", str(tmp_path / "agent.toml")], check=False) if find() else None
    assert done is not None
    found = [each for each in json.loads(done.stdout) if each["id"] == "nftables-drops"]
    assert [each["seen"].split(":")[0] for each in found] == [
        "chain inet filter input of nftables drops 4789/udp",
        "chain inet filter forward of nftables drops what is forwarded from pods, what is forwarded to pods",
    ]
    for each in found:
        host.run(["sh", "-euc", each["remedy"]])
    assert "nftables-drops" not in find()


def test_native_rules_on_a_master_are_asked_about_its_ports(host: Node, tmp_path: Path) -> None:
    def found() -> list[dict[str, str]]:
        done = host.run([*CHECK, "--role", "master"], check=False)
        return [each for each in json.loads(done.stdout) if each["id"] == "nftables-drops"]

    (tmp_path / "nftables.conf").write_text(NATIVE)
    host.run(["nft", "-f", str(tmp_path / "nftables.conf")])
    (seen,) = found()
    assert "6443/tcp, 6444/tcp" in seen["seen"]
    host.run(["sh", "-euc", seen["remedy"]])
    assert found() == []


def test_forwarding_that_is_off_is_found(host: Node, tmp_path: Path) -> None:
    host.run(["sysctl", "-w", "net.ipv4.ip_forward=0"])
    done = host.run(CHECK, check=False)
    assert "ip-forward" in {each["id"] for each in json.loads(done.stdout)}


def test_an_address_of_nobody_is_found(find: Find) -> None:
    assert "203.0.113.5" in find("--node-address", "203.0.113.5")["node-address"]


def test_without_the_right_to_make_namespaces_the_kernel_is_of_no_use(find: Find) -> None:
    found = find(before=("setpriv", "--bounding-set", "-sys_admin"))
    assert "kernel-namespace" in found


def test_a_host_without_iptables_is_found(find: Find) -> None:
    hidden = 'for each in /usr/sbin /sbin; do mount -t tmpfs tmpfs $each; done; exec "$@"'
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
    assert "disk-space" in {each["id"] for each in json.loads(done.stdout)}


@pytest.mark.parametrize("port", [6443, 6444])
def test_a_port_of_the_master_that_somebody_has_is_found(host: Node, port: int) -> None:
    def found() -> dict[str, str]:
        done = host.run([*CHECK, "--role", "master"], check=False)
        return {each["id"]: each["seen"] for each in json.loads(done.stdout)}

    assert "port-in-use" not in found()
    with host.open_socket() as listener:
        listener.bind(("10.0.0.1", port))
        listener.listen()
        assert f"{port}/tcp" in found()["port-in-use"]


def test_what_is_tried_works_here_and_leaves_nothing(host: Node) -> None:
    where = host.where
    before = set(namespaces.names())
    found = namespaces.run_in(where, survey.kernel)
    assert set(found.features.values()) == {""}
    assert [each.problem for each in found.variants.values()] == ["", ""]
    made = set(namespaces.names()) - before
    assert [name for name in made if not name.startswith(("topo-", "sampan-"))] == [], "others make labs meanwhile"
    assert len(host.links()) == 2, "lo and the cable"


def test_a_rule_that_the_kernel_does_not_take_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {**trial.RULES, "match nosuch": ("filter", "-m nosuch -j RETURN")}
    monkeypatch.setattr(trial, "RULES", rules)
    found = trial.variants()
    assert {name: each.problem.split(":")[0] for name, each in found.items()} == {
        "legacy": "match nosuch",
        "nft": "match nosuch",
    }
