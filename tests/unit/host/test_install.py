"""Installing, upgrading and removing on a host in a directory, with a fake system."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from host import system
from host.errors import HostError, NotInstalled, WrongUse
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from host.source import Source
from hull.errors import Busy
from tests.fakes.host import SETTINGS, Fake, Killed, at_each_step, fresh, install, kill_at, source_of, state


def test_a_master_is_installed_enabled_and_started(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source)
    assert layout.current.resolve() == layout.releases / "1.0.0"
    assert str(layout.command.readlink()) == "/opt/sampan/current/bin/sampan"
    assert (layout.releases / "1.0.0/bin/sampan").read_text().startswith("#!/opt/sampan/releases/1.0.0/bin/python\n")
    assert 'advertise_addresses = ["10.0.0.1"]' in layout.config("master").read_text()
    assert layout.state("master").stat().st_mode & 0o777 == 0o700
    assert fake.users == {"sampan"} and fake.enabled == fake.active == {"sampan-master.service"}


def test_an_agent_waits_for_its_join(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source, "agent")
    assert layout.unit("agent").exists() and not fake.enabled and not fake.active and not fake.users


def test_installing_again_changes_nothing(fake: Fake, source: Source) -> None:
    install(fake, source)
    before, restarts = state(fake), list(fake.restarts)
    install(fake, source, settings={"cluster_name": "other"})
    assert (state(fake), fake.restarts) == (before, restarts)


def test_a_master_that_is_starting_is_restarted_with_its_new_unit(fake: Fake, source: Source) -> None:
    """A start between two attempts still follows the former unit."""
    install(fake, source)
    fake.active.clear()
    fake.starting.add("sampan-master.service")
    fake.calls.clear()
    install(fake, source)
    assert ("systemctl", "restart", "sampan-master.service") in fake.calls


def test_after_a_purge_the_host_is_as_it_was(fake: Fake, layout: HostLayout, source: Source) -> None:
    before = state(fake)
    install(fake, source)
    install(fake, source, "agent")
    (layout.state("master") / "store.db").write_text("data")
    assert Uninstaller(layout, fake).uninstall(purge=True) == []
    assert state(fake) == before


def test_earlier_files_and_the_earlier_user_stay(fake: Fake, layout: HostLayout, source: Source) -> None:
    layout.etc.mkdir()
    layout.config("master").write_text("mine\n")
    layout.var.mkdir()
    fake.users.add("sampan")
    before = state(fake)
    install(fake, source, settings={})
    assert layout.config("master").read_text() == "mine\n"
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before


def test_without_purge_configuration_and_state_stay_and_a_later_purge_removes_them(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    before = state(fake)
    install(fake, source)
    kept = Uninstaller(layout, fake).uninstall(purge=False)
    assert kept == ["/etc/sampan", "/var/lib/sampan", "the user sampan"]
    assert not layout.releases.exists() and not layout.unit("master").exists() and layout.config("master").exists()
    assert Uninstaller(layout, fake).uninstall(purge=False) == kept
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before
    with pytest.raises(NotInstalled):
        Uninstaller(layout, fake).uninstall(purge=True)


def test_a_node_is_not_uninstalled_unless_forced(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source, "agent")
    (layout.state("agent") / "identity.json").write_text("{}")
    with pytest.raises(HostError, match="sampan leave"):
        Uninstaller(layout, fake).uninstall(purge=True)
    assert layout.unit("agent").exists()
    Uninstaller(layout, fake).uninstall(purge=True, force=True)
    assert not layout.var.exists()


def test_the_point_of_no_return_is_before_the_command_itself_is_removed(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    install(fake, source)
    calls: list[tuple[bool, set[str]]] = []
    uninstaller = Uninstaller(
        layout, fake, no_return=lambda: calls.append((layout.command.is_symlink(), set(fake.active)))
    )
    uninstaller.uninstall(purge=True)
    assert calls == [(True, set())], "services are stopped, files are still there"
    with pytest.raises(NotInstalled):
        uninstaller.uninstall(purge=True)
    assert len(calls) == 1


@pytest.fixture
def number_of_steps(tmp_path: Path) -> int:
    """How many times an installation asks the system or writes a file."""
    counted = count()
    with pytest.MonkeyPatch.context() as patch:
        fake = Fake(fresh(tmp_path / "counted"))
        at_each_step(fake, patch, lambda: next(counted))
        install(fake, source_of(tmp_path, content="counted"))
    return next(counted)


def test_killed_at_any_step_the_same_command_completes_it(
    fake: Fake, layout: HostLayout, source: Source, number_of_steps: int
) -> None:
    assert number_of_steps > 10
    empty = state(fake)
    install(fake, source)
    expected = state(fake)
    for step in range(number_of_steps):
        Uninstaller(layout, fake).uninstall(purge=True)
        assert state(fake) == empty
        with pytest.MonkeyPatch.context() as patch:
            at_each_step(fake, patch, kill_at(step))
            with pytest.raises(Killed):
                install(fake, source)
        fake.trouble = lambda argv: None
        _without_record_nothing_is_there(fake, empty)
        install(fake, source)
        assert {**state(fake), "opt/sampan/installed.json": ""} == {**expected, "opt/sampan/installed.json": ""}, step
        assert set(_record(layout).files) == {
            "/etc/sampan/master.toml", "/usr/local/bin/sampan", "/etc/systemd/system/sampan-master.service",
        }  # fmt: skip


def test_killed_at_any_step_of_installing_it_can_be_uninstalled(
    fake: Fake, layout: HostLayout, source: Source, number_of_steps: int
) -> None:
    empty = state(fake)
    for step in range(number_of_steps):
        with pytest.MonkeyPatch.context() as patch:
            at_each_step(fake, patch, kill_at(step))
            with pytest.raises(Killed):
                install(fake, source)
        fake.trouble = lambda argv: None
        if layout.record.exists():
            Uninstaller(layout, fake).uninstall(purge=True)
        assert {key: value for key, value in state(fake).items() if key != "opt/sampan"} == empty, step


def test_incomplete_files_are_removed_too(fake: Fake, layout: HostLayout, source: Source) -> None:
    before = state(fake)
    install(fake, source)
    for path in (layout.unit("master"), layout.config("master"), layout.command, layout.current, layout.record):
        path.with_name(f".{path.name}.new").write_text("half")
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before


def _without_record_nothing_is_there(fake: Fake, empty: dict[str, object]) -> None:
    if not fake.layout.record.exists():
        files = {key: value for key, value in state(fake).items() if not key.startswith("opt/sampan")}
        assert files == empty


def _record(layout: HostLayout) -> Record:
    record = Record.load(layout)
    assert record is not None
    return record


def test_a_failure_on_a_fresh_host_is_undone(fake: Fake, source: Source) -> None:
    before = state(fake)

    def refuse(argv: tuple[str, ...]) -> None:
        if "useradd" in argv:
            raise HostError("useradd failed: /etc is read-only")

    fake.trouble = refuse
    with pytest.raises(HostError, match="read-only"):
        install(fake, source)
    assert state(fake) == before


def test_a_full_disk_is_reported_before_anything_is_made(
    fake: Fake, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(fake)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1 << 20})())
    with pytest.raises(HostError, match="1 MiB are free there: make room"):
        install(fake, source)
    assert state(fake) == before


def test_another_build_of_a_version_is_another_release(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    install(fake, source_of(tmp_path))
    other = source_of(tmp_path, content="changed")
    with pytest.raises(HostError, match="sampan upgrade"):
        install(fake, other, "agent")
    assert Upgrader(layout, fake).upgrade(other).startswith("1.0.0-")


def test_an_upgrade_needs_something_to_upgrade(fake: Fake, layout: HostLayout, source: Source) -> None:
    with pytest.raises(NotInstalled):
        Upgrader(layout, fake).upgrade(source)
    install(fake, source)
    with pytest.raises(HostError, match="no release to go back to"):
        Upgrader(layout, fake).roll_back()


def test_missing_rights_and_missing_programs_are_reported(fake: Fake, layout: HostLayout, source: Source) -> None:
    (layout.root / "run/systemd/system").rmdir()
    with pytest.raises(HostError, match="systemd does not run"):
        install(fake, source)
    fake = replace(fake, root=False)
    for refused in (
        lambda: install(fake, source),
        lambda: Uninstaller(layout, fake).uninstall(purge=True),
        lambda: Upgrader(layout, fake).roll_back(),
    ):
        with pytest.raises(HostError, match="only root"):
            refused()


def test_options_that_the_master_would_refuse_are_refused(fake: Fake, source: Source) -> None:
    before = state(fake)
    with pytest.raises(WrongUse, match="service_cidr"):
        install(fake, source, settings={**SETTINGS, "service_cidr": "10.244.0.0/16"})
    assert state(fake) == before


def test_a_record_that_cannot_be_read_stops_everything(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source)
    for text in ("{", json.dumps({"format": 2}), json.dumps({"format": 1, "directories": 1}), "7"):
        layout.record.write_text(text)
        with pytest.raises(HostError, match=r"installed\.json cannot be read"):
            Uninstaller(layout, fake).uninstall(purge=True)
    assert layout.unit("master").exists()


def test_one_command_at_a_time(layout: HostLayout) -> None:
    with system.exclusive(layout.lock), pytest.raises(Busy), system.exclusive(layout.lock):
        pass
