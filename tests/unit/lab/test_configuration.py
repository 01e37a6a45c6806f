"""The daemons accept the configuration files that a lab writes for them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

import agent.config
import master.config
from client.tokens import make_token
from lab.config import KUBERNETES_PERIODS, Periods, agent_toml, master_toml
from lab.hosts import engine as lab_engine
from lab.hosts.engine import Engine
from lab.layout import HostPaths, Layout
from lab.state import HostState, LabState

LAYOUT = Layout("x")
STATE = LabState(
    "x",
    IPv4Network("10.77.3.0/24"),
    (
        HostState("master", "master", IPv4Address("10.77.3.10")),
        HostState("node1", "node", IPv4Address("10.77.3.11")),
        HostState("node2", "node", IPv4Address("10.77.3.12")),
    ),
)


def test_the_master_accepts_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "master.toml"
    path.write_text(master_toml(LAYOUT, STATE, Periods()))
    config = master.config.load(path)
    assert config.data_dir == LAYOUT.host("master").master_data
    assert config.advertise_addresses == ("10.77.3.10",)
    assert (config.heartbeat_s, config.grace_s, config.eviction_s) == (1.0, 5.0, 2.0)
    assert replace(config, heartbeat_s=10.0, grace_s=40.0, eviction_s=300.0) == _loaded(tmp_path)


def _loaded(directory: Path) -> master.config.MasterConfig:
    path = directory / "other.toml"
    path.write_text(master_toml(LAYOUT, STATE, KUBERNETES_PERIODS))
    return master.config.load(path)


def test_the_agent_accepts_its_configuration_and_reports_its_share(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(agent_toml(LAYOUT, STATE, STATE.host("node1")))
    config = agent.config.load(path)
    alone = tomllib.loads(agent_toml(LAYOUT, replace(STATE, hosts=STATE.hosts[:2]), STATE.host("node1")))
    assert (config.node_name, config.node_address, config.master) == ("node1", "10.77.3.11", "https://10.77.3.10:6443")
    assert config.cgroup_parent == "/sampan-x/node1"
    host = LAYOUT.host("node1")
    assert config.host_path_root.parent == host.directory
    for private in (host.agent_state, host.engine, host.etc, host.logs, host.xtables_lock):
        assert not private.is_relative_to(config.host_path_root)
    assert config.capacity_cpu_millis == alone["capacity_cpu_millis"] // 2
    assert config.capacity_memory_bytes == alone["capacity_memory_bytes"] // 2


def test_a_token_has_kubernetes_format() -> None:
    identifier, _, secret = make_token().partition(".")
    assert (len(identifier), len(secret)) == (6, 16)
    assert (identifier + secret).isalnum()
    assert make_token() != make_token()


@pytest.mark.parametrize(("major", "has_key_path"), [(20, True), (28, False)])
def test_an_engine_uses_no_path_of_the_machine_s_docker(
    monkeypatch: pytest.MonkeyPatch, major: int, has_key_path: bool
) -> None:
    monkeypatch.setattr(lab_engine, "_engine_major", lambda: major)
    paths = HostPaths(Path("/labs/x/hosts/node1"), Path("/run/netns/x"))
    engine = Engine(paths, "/sampan-x/node1", "10.77.3.1:5000")
    settings = engine._dockerd_settings()
    assert ("deprecated-key-path" in settings) is has_key_path
    paths_in = [text for text in json.dumps(settings).split('"') if text.startswith(("/", "unix:/"))]
    assert all(
        text.removeprefix("unix://").startswith(("/labs/x/hosts/node1/engine", "/sampan-x/")) for text in paths_in
    )
    toml = tomllib.loads(engine._containerd_toml())
    assert toml["root"].startswith("/labs/x/")
    assert "io.containerd.internal.v1.opt" in toml["disabled_plugins"]
