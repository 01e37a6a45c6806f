"""The unit files, read as systemd reads them."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from host.layout import ROLES, HostLayout, Role
from host.services.units import unit_text


def parsed(role: Role) -> dict[str, str]:
    """Settings as Section.Name; a setting twice would be an error."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit_text(role, HostLayout(Path("/tmp/any"))))
    return {f"{section}.{name}": value for section in parser.sections() for name, value in parser[section].items()}


@pytest.mark.parametrize("role", ROLES)
def test_a_daemon_is_watched_and_always_restarted(role: Role) -> None:
    unit = parsed(role)
    assert unit["Service.ExecStart"] == f"/opt/sampan/current/bin/sampan {role} --config /etc/sampan/{role}.toml"
    assert (unit["Service.Type"], unit["Service.Restart"], unit["Unit.StartLimitIntervalSec"]) == (
        "notify",
        "always",
        "0",
    )
    assert int(unit["Service.WatchdogSec"]) >= 10
    # What hull/restarts.py counts in; it must outlive a restart.
    assert unit["Service.RuntimeDirectory"] == f"sampan-{role}"
    assert (unit["Service.RuntimeDirectoryPreserve"], unit["Service.RestartSec"]) == ("restart", "1")
    assert unit["Service.NoNewPrivileges"] == "yes"


def test_the_master_has_a_user_of_its_own_and_writes_to_its_data_directory_only() -> None:
    unit = parsed("master")
    assert (unit["Service.User"], unit["Service.CapabilityBoundingSet"]) == ("sampan", "")
    assert (unit["Service.ProtectSystem"], unit["Service.ReadWritePaths"]) == ("strict", "/var/lib/sampan/master")


def test_the_agent_leaves_containers_alone_and_shares_its_mounts() -> None:
    unit = parsed("agent")
    assert unit["Service.KillMode"] == "process" and "Service.User" not in unit
    assert "AF_NETLINK" in unit["Service.RestrictAddressFamilies"]
    assert unit["Service.RestartPreventExitStatus"] == "6", "the exit code of an agent whose node was deleted"
    own_mounts = {
        "ProtectSystem",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectKernelModules",
        "ReadWritePaths",
    }
    assert not own_mounts & {name.partition(".")[2] for name in unit}
    assert "docker.service" in unit["Unit.After"] and "Unit.Requires" not in unit
