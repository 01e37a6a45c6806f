"""master.toml: allowed values and the errors for others. Also: conditions that keep a master from starting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hull.errors import SettingsError
from master.config import from_values, load
from master.datadir import MasterFailed, locked
from master.main import run


@pytest.fixture(autouse=True)
def _environment_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` changes the environment of its process, which is the test process."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")


def test_defaults_are_those_of_kubernetes(tmp_path: Path) -> None:
    config = from_values({"data_dir": str(tmp_path)})
    assert (config.heartbeat_s, config.grace_s, config.eviction_s) == (10, 40, 300)
    assert config.node_ports == range(30000, 32768)
    assert config.address == "127.0.0.1"
    assert from_values({"data_dir": "/d", "advertise_addresses": ["10.0.0.1", "m"]}).address == "10.0.0.1"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param({"data_dir": None}, "data_dir", id="required"),
        pytest.param({"bogus": 1}, "bogus: no such setting", id="unknown"),
        pytest.param({"api_port": "6443"}, "api_port: '6443' is not an integer", id="type"),
        pytest.param({"api_port": 70000}, "api_port: 70000 is not a port", id="port"),
        pytest.param({"grace_s": 15}, "grace_s: must be more than twice", id="grace"),
        pytest.param({"cluster_cidr": "10.0.0.1/8"}, "cluster_cidr: .*host bits", id="network"),
        pytest.param({"service_cidr": "10.244.1.0/24"}, "service_cidr: .* overlaps", id="overlap"),
        pytest.param({"pod_cidr_prefix": 8}, "pod_cidr_prefix", id="prefix"),
        pytest.param({"node_port_range": "3-2"}, "node_port_range", id="range"),
        pytest.param({"eviction_s": float("nan")}, "eviction_s: nan is not from 0", id="not a number"),
        pytest.param({"eviction_s": -1}, "eviction_s: -1.0 is not from 0", id="negative"),
        pytest.param({"grace_s": float("inf")}, "grace_s: inf is not from 0", id="infinite"),
        pytest.param(
            {"advertise_addresses": ["m", ""]}, "advertise_addresses: '' is not an address", id="empty address"
        ),
        pytest.param({"advertise_addresses": ["mäster"]}, "'mäster' is not an address", id="not a DNS name"),
        pytest.param({"listen_address": "a b"}, "listen_address: 'a b' is not an address", id="listen address"),
        pytest.param({"data_dir": "/d\0"}, "data_dir: .* is not a string", id="not a path"),
        pytest.param({"node_port_range": "²-9"}, "node_port_range", id="digits of another kind"),
        pytest.param({"log_level": "loud"}, "log_level", id="level"),
        pytest.param({"idle_timeout_s": 0}, "idle_timeout_s", id="connections are closed at once"),
        pytest.param({"request_timeout_s": -1}, "request_timeout_s", id="no time for a body"),
        pytest.param({"stalled_timeout_s": 1e9}, "stalled_timeout_s", id="clients that never read"),
        pytest.param({"log_format": "xml"}, "log_format", id="format"),
    ],
)
def test_an_invalid_value_is_named(values: dict[str, Any], says: str) -> None:
    document = {"data_dir": "/d"} | values
    with pytest.raises(ValueError, match=says):
        from_values({name: value for name, value in document.items() if value is not None})


def test_a_missing_or_malformed_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("data_dir = ")
    with pytest.raises(SettingsError, match=r"bad\.toml"):
        load(tmp_path / "bad.toml")


def test_a_data_directory_has_only_one_master(tmp_path: Path) -> None:
    (tmp_path / "master.toml").write_text(f'data_dir = "{tmp_path}/data"')
    with locked(tmp_path / "data"), pytest.raises(MasterFailed, match="another master"):
        run(tmp_path / "master.toml")


def test_a_data_directory_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "master.toml").write_text(f'data_dir = "{tmp_path}/file/data"')
    with pytest.raises(MasterFailed, match="Not a directory"):
        run(tmp_path / "master.toml")
