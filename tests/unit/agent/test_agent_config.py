"""agent.toml: accepted values, and the errors for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.config import from_values, load
from agent.identity.errors import JoinRefused
from agent.main import run

GOOD: dict[str, Any] = {"state_dir": "/s", "node_name": "node-1", "master": "https://10.0.0.1:6443"}


@pytest.fixture(autouse=True)
def _environment_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` changes the process's environment, which other tests share."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")


def test_values_take_their_types() -> None:
    config = from_values(GOOD | {"audit_s": 5, "labels": {"disk": "ssd"}, "host_path_root": "/host"})
    assert (config.audit_s, config.labels, config.host_path_root) == (5.0, {"disk": "ssd"}, Path("/host"))
    assert config.master_host == "10.0.0.1"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"node_name": None}, "node_name: required", id="required"),
        pytest.param({"bogus": 1}, "bogus: no such setting", id="unknown"),
        pytest.param({"secrets_on_disk": 1}, "secrets_on_disk: 1 is not a boolean", id="type"),
        pytest.param({"labels": {"a": 1}}, "labels", id="labels"),
        pytest.param({"node_name": "Node_1"}, "node_name", id="name"),
        pytest.param({"master": "10.0.0.1:6443"}, "master: .* is not of the form https", id="master"),
        pytest.param({"node_address": "nowhere"}, "node_address", id="address"),
        pytest.param({"max_pods": 0}, "max_pods", id="pods"),
        pytest.param({"container_pids_limit": -1}, "container_pids_limit", id="processes"),
        pytest.param({"shutdown_grace_period_s": 1201}, "shutdown_grace_period_s", id="a long shutdown"),
        pytest.param(
            {"shutdown_grace_period_s": 5, "shutdown_grace_period_critical_pods_s": 6},
            "shutdown_grace_period_critical_pods_s",
            id="more time for critical pods than for all",
        ),
        pytest.param({"audit_s": 0}, "audit_s", id="audit"),
        pytest.param({"audit_s": float("nan")}, "audit_s", id="not a number"),
        pytest.param({"audit_s": float("inf")}, "audit_s", id="endless"),
        pytest.param(
            {"allowed_unsafe_sysctls": ["net.*", "vm.swappiness"]}, "'vm.swappiness'", id="sysctl of the node"
        ),
        pytest.param(
            {"image_pull_credentials_verification": "Sometimes"}, "image_pull_credentials_verification", id="policy"
        ),
        pytest.param({"preloaded_images_verification_allowlist": ["a/*/b"]}, r"'a/\*/b' is not", id="star inside"),
        pytest.param({"preloaded_images_verification_allowlist": ["r/app:1"]}, "'r/app:1' is not", id="tag"),
        pytest.param({"preloaded_images_verification_allowlist": ["/*"]}, "is not of the form", id="no registry"),
        pytest.param({"state_dir": "/s\0"}, "state_dir: .* is not a string", id="not a path"),
    ],
)
def test_the_error_names_the_setting(values: dict[str, Any], message: str) -> None:
    document = GOOD | values
    with pytest.raises(ValueError, match=message):
        from_values({name: value for name, value in document.items() if value is not None})


def test_images_without_verification() -> None:
    patterns = ["docker.io/library/nginx", "r.example:5000/team/*", "localhost/*"]
    config = from_values(GOOD | {"preloaded_images_verification_allowlist": patterns})
    assert config.preloaded_images_verification_allowlist == tuple(patterns)


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('state_dir = "/s"\nnode_name = "n"\nmaster = "https://m:6443"\n[labels]\na = "b"\n')
    assert load(path).labels == {"a": "b"}


def test_an_agent_that_has_not_joined_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f'state_dir = "{tmp_path}/state"\nnode_name = "n"\nmaster = "https://m:6443"\n')
    with pytest.raises(JoinRefused, match="sampan join"):
        run(path)
