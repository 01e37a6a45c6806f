"""Today's command on a host where the first release is installed: its record, its link, its units and configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.host import Fake, source_of
from tests.first_release import VERSION, unpack
from tests.unit.first_release import product as p

ROLES = ("master", "agent")


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(role: str, tmp_path: Path) -> Fake:
    """A host as `install` of the first release left it, with its service up."""
    root = unpack(f"host/{role}.tar.xz", tmp_path / "host")
    (root / "run/systemd/system").mkdir(parents=True)
    unit = f"sampan-{role}.service"
    users = {"sampan"} if role == "master" else set()
    return Fake(p.HostLayout(root), users=users, enabled={unit}, active={unit})


def recorded(host: Fake) -> p.Record:
    found = p.Record.load(host.layout)
    assert found is not None
    return found


def test_the_record_is_read(host: Fake, role: str) -> None:
    found = recorded(host)
    assert (found.roles, found.release, found.previous, found.target) == ((role,), VERSION, "", "")
    assert found.releases == (VERSION,) and found.user_made == (role == "master")
    assert set(found.files) >= {f"/etc/sampan/{role}.toml", f"/etc/systemd/system/sampan-{role}.service"}
    assert set(found.directories) == {"/etc/sampan", "/var/lib/sampan", f"/var/lib/sampan/{role}"}
    assert p.release.current(host.layout) == VERSION and p.release.is_complete(host.layout, VERSION)


def test_the_configuration_is_read(host: Fake, role: str) -> None:
    path = host.layout.root / f"etc/sampan/{role}.toml"
    if role == "master":
        assert str(p.load_master_config(path).data_dir) == "/var/lib/sampan/master"
    else:
        config = p.load_agent_config(path)
        assert (config.node_name, str(config.state_dir)) == ("worker", "/var/lib/sampan/agent")


def test_it_is_upgraded_and_goes_back(host: Fake, role: str, tmp_path: Path) -> None:
    upgrader = p.Upgrader(host.layout, host)
    assert upgrader.upgrade(source_of(tmp_path, "2.0.0")) == "2.0.0"
    found = recorded(host)
    assert (p.release.current(host.layout), found.release, found.previous) == ("2.0.0", "2.0.0", VERSION)
    assert host.restarts == [f"sampan-{role}.service"]
    assert upgrader.roll_back() == VERSION
    assert p.release.current(host.layout) == VERSION
    assert (host.layout.releases / VERSION / "bin/sampan").is_file()
    # The first release finds in the record all that it reads, of the kind that it reads.
    values = json.loads((host.layout.root / "opt/sampan/installed.json").read_text())
    assert values["format"] == 1 and not values["unfinished"]
    assert values["release"] == VERSION and f"/opt/sampan/releases/{VERSION}" in values["directories"]


def test_it_is_uninstalled_whole(host: Fake, role: str) -> None:
    uninstaller = p.Uninstaller(host.layout, host)
    if role == "agent":
        with pytest.raises(p.HostError, match="still a node"):
            uninstaller.uninstall(purge=True)
    uninstaller.uninstall(purge=True, force=True)
    left = [path for path in host.layout.root.rglob("*") if not path.is_dir()]
    assert left == []
    assert not host.users and not host.enabled and not host.active
