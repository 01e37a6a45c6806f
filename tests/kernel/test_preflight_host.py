"""Findings of the preflight about the host itself, provoked by the mounts, rights and engines of a throw-away host.

A file in place of the kernel's own pretends other values of the kernel (memory, swap).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from netrig.topology.node import Node
from tests.fakes.engine import DOCKER, answering
from tests.kernel.test_preflight import COMMAND, MASTER, host

__all__ = ["host"]
OLD = DOCKER | {"/version": {"Version": "19.03", "ApiVersion": "1.40"}}
FIT = DOCKER | {"/info": {"Driver": "overlay2", "CgroupDriver": "cgroupfs"}}
REST = "".join(f"{name}: 0 kB\n" for name in ("MemFree", "MemAvailable", "Buffers", "Cached", "SwapFree"))


def check(host: Node, *options: str, before: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The findings of `sampan check`: severity and observation by id."""
    done = host.run([*before, *COMMAND, "check", "-o", "json", *options], check=False)
    assert done.returncode in (0, 1) and done.stdout, done.stderr
    return {item["id"]: f"{item['severity']}: {item['seen']}" for item in json.loads(done.stdout)}


def mounted(*commands: str) -> tuple[str, ...]:
    """A command that runs the check with mounts that nothing else sees."""
    return ("unshare", "--mount", "sh", "-euc", "\n".join([*commands, 'exec "$@"']), "sh")


@pytest.mark.parametrize(
    ("lines", "id_", "seen"),
    [
        pytest.param("MemTotal: 200000 kB", "memory", "error: 195 MiB", id="no memory"),
        pytest.param("MemTotal: 600000 kB", "memory", "warning: 585 MiB", id="little memory"),
        pytest.param("MemTotal: 4000000 kB\nSwapTotal: 2097152 kB", "swap", "warning: 2048 MiB", id="swap"),
    ],
)
def test_memory_and_swap(host: Node, tmp_path: Path, lines: str, id_: str, seen: str) -> None:
    (tmp_path / "meminfo").write_text(f"SwapTotal: 0 kB\n{REST}{lines}\n")
    findings = check(host, before=mounted(f"mount --bind {tmp_path}/meminfo /proc/meminfo"))
    assert findings[id_].startswith(seen)


@pytest.mark.parametrize(
    ("make", "id_", "seen"),
    [
        pytest.param("true", "cgroup", "error: no control groups", id="none"),
        pytest.param("mkdir cpu pids", "cgroup-controllers", "warning: control groups (v1) without memory", id="v1"),
        pytest.param(
            "echo cpu io > cgroup.controllers", "cgroup-controllers", "warning: control groups (v2) without memory",
            id="v2",
        ),
    ],
)  # fmt: skip
def test_control_groups(host: Node, make: str, id_: str, seen: str) -> None:
    hidden = mounted("mount -t tmpfs tmpfs /sys/fs/cgroup", f"(cd /sys/fs/cgroup; {make})")
    assert check(host, before=hidden)[id_].startswith(seen)


@pytest.mark.parametrize(
    ("answers", "id_", "seen"),
    [
        pytest.param(None, "engine-socket", "error: there is no container engine", id="absent"),
        pytest.param({}, "engine-answer", "error: the engine behind", id="failing"),
        pytest.param(OLD, "engine-version", "error: Docker 19.03 has API 1.40", id="old"),
        pytest.param(DOCKER, "engine-storage", "warning: the engine's storage driver is vfs", id="slow"),
    ],
)
def test_engines(host: Node, tmp_path: Path, answers: Mapping[str, Any] | None, id_: str, seen: str) -> None:
    path = tmp_path / "engine.sock"
    with nullcontext() if answers is None else answering(path, answers):
        findings = check(host, "--engine-socket", str(path))
    assert findings[id_].startswith(seen)


def test_a_socket_whose_engine_has_ended(host: Node, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert "refused" in check(host, "--engine-socket", str(path))["engine-answer"]


def test_an_engine_that_manages_control_groups_beside_systemd(host: Node, tmp_path: Path) -> None:
    (tmp_path / "comm").write_text("systemd\n")
    hidden = mounted(
        "mount -t tmpfs tmpfs /sys/fs/cgroup",
        "echo cpu memory > /sys/fs/cgroup/cgroup.controllers",
        f"mount --bind {tmp_path}/comm /proc/1/comm",
    )
    with answering(tmp_path / "engine.sock", FIT) as path:
        findings = check(host, "--engine-socket", str(path), before=hidden)
    assert findings["cgroup-driver"].startswith("warning: the engine manages control groups itself")


def test_a_missing_right_to_change_networks_fails_each_feature_that_needs_it(host: Node) -> None:
    findings = check(host, before=("setpriv", "--bounding-set", "-net_admin"))
    for id_ in ("kernel-veth", "kernel-vxlan", "kernel-conntrack"):
        assert findings[id_].startswith("error: ")
    assert findings["kernel-bridge"].startswith("warning: ")
    assert "the kernel does not accept our rules" in findings["iptables-rules"]


def test_read_only_kernel_parameters_are_found(host: Node) -> None:
    # A new namespace copies the value of the machine's first namespace. If that is 1, the check writes nothing.
    hidden = mounted(
        "mount -t tmpfs tmpfs /proc/sys",
        "mkdir -p /proc/sys/net/ipv4 && echo 0 > /proc/sys/net/ipv4/ip_forward",
        "mount -o remount,ro /proc/sys",
    )
    assert check(host, before=hidden)["kernel-forwarding"].startswith("error: no IPv4 forwarding here: ")


def test_a_bridged_link_whose_packets_iptables_sees_is_found(host: Node) -> None:
    link = next(link.name for link in host.links() if link.name != "lo")
    host.run(["sh", "-euc", f"""
        ip address flush dev {link}
        ip link add bridge type bridge
        ip link set {link} master bridge
        ip address add 10.0.0.1/24 dev bridge
        ip link set bridge up
        sysctl -w net.bridge.bridge-nf-call-iptables=1
    """])  # fmt: skip
    findings = check(host, "--master", MASTER, before=mounted("mount -t sysfs sysfs /sys"))
    assert findings["bridge-netfilter"].startswith("warning: bridge is bridged")


@pytest.mark.parametrize("name", ["Node_1", "n" * 53, "-a", "a..b"])
def test_an_invalid_node_name_is_found(host: Node, name: str) -> None:
    assert check(host, "--node-name=" + name)["node-name"].startswith("error: ")
