"""Backups of an installed master at regular times: the choice, its units, and what installing does with it."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest

from host.errors import HostError, WrongUse
from host.host_files import HostFile, needed
from host.installation.install import Installer
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import BACKUP_UNITS, HostLayout
from host.record import Record
from host.services import backups, units
from host.services.backups import Backups
from host.source import Source
from tests.fakes.host import SETTINGS, Fake, Killed, at_each_step, fresh, install, kill_at, source_of, state

TIMER, SERVICE = BACKUP_UNITS
MASTER = "sampan-master.service"


def choose(fake: Fake, source: Source | None, *, start: bool = True, **options: Any) -> None:
    """Install the master with these options."""
    Installer(fake.layout, fake).install("master", source, SETTINGS if source else {}, start=start,
                                         backup_options=options)  # fmt: skip


def unit(layout: HostLayout, name: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((layout.units / name).read_text())
    return {f"{section}.{key}": value for section in parser.sections() for key, value in parser[section].items()}


def files_of(layout: HostLayout) -> list[bool]:
    """Whether there are settings, timer and service."""
    return [path.exists() for path in (layout.backup_config, layout.units / TIMER, layout.units / SERVICE)]


def test_a_master_is_backed_up_by_its_own_user_into_a_closed_directory(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    choose(fake, source, directory="/srv/backups", keep=3, at="Sat 03:30")
    directory = layout.root / "srv/backups"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert backups.load(layout) == Backups(Path("/srv/backups"), 3, "Sat 03:30")
    service, timer = unit(layout, SERVICE), unit(layout, TIMER)
    command = "/opt/sampan/current/bin/sampan backup --config /etc/sampan/master.toml --keep 3 /srv/backups"
    assert (service["Service.ExecStart"], service["Service.User"]) == (f":{command}", "sampan")
    assert (service["Service.ReadWritePaths"], service["Service.Type"]) == ("/srv/backups", "oneshot")
    assert (timer["Timer.OnCalendar"], timer["Timer.Persistent"]) == ("Sat 03:30", "true")
    # It runs with the master, and no longer.
    assert unit(layout, MASTER)["Unit.Wants"].split() == ["network-online.target", TIMER]
    assert timer["Unit.PartOf"] == MASTER and fake.active == {MASTER, TIMER}


def test_without_the_option_there_are_none(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source)
    assert files_of(layout) == [False] * 3 and fake.active == {MASTER}
    with pytest.raises(WrongUse, match="need --backup-dir"):
        choose(fake, source, keep=2)


def test_installing_again_keeps_changes_or_removes_the_choice(fake: Fake, layout: HostLayout, source: Source) -> None:
    choose(fake, source, directory="/srv/backups")
    (layout.root / "srv/backups/sampan-20260301T120000Z.tar").touch()
    (layout.root / "srv/backups/notes").touch()
    install(fake, source)
    choose(fake, None, keep=2)
    choose(fake, source, at="hourly")
    assert backups.load(layout) == Backups(Path("/srv/backups"), 2, "hourly")
    assert (
        unit(layout, TIMER)["Timer.OnCalendar"] == "hourly"
        and "--keep 2 " in unit(layout, SERVICE)["Service.ExecStart"]
    )
    choose(fake, source, directory="")
    assert files_of(layout) == [False] * 3 and fake.active == {MASTER}
    assert TIMER not in unit(layout, MASTER)["Unit.Wants"]
    assert (layout.root / "srv/backups/sampan-20260301T120000Z.tar").exists()


def test_settings_that_were_edited_are_applied_by_installing_again(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    choose(fake, source, directory="/srv/backups")
    layout.backup_config.write_text('directory = "/srv/other"\nkeep = 1\n')
    install(fake, source)
    assert unit(layout, SERVICE)["Service.ReadWritePaths"] == "/srv/other" and (layout.root / "srv/other").is_dir()
    layout.backup_config.write_text('directory = "/srv/other"\nkept = 1\n')
    with pytest.raises(HostError, match=r"backup\.toml: kept: no such setting"):
        install(fake, source)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"directory": "relative"}, "must be the absolute path"),
        ({"directory": "/tmp/backups"}, "must not be a temporary directory"),
        ({"directory": "/"}, "has other uses"),
        ({"directory": "/opt/sampan/backups"}, "has other uses"),
        ({"directory": "/var/lib/sampan/master/backups"}, "must not contain each other"),
        ({"directory": "/var/lib/sampan"}, "must not contain each other"),
        ({"directory": "/etc/systemd"}, "contains other things than backups"),
        ({"directory": "/closed/backups"}, "is closed to the master's user"),
        ({"directory": "/link"}, "is a symbolic link"),
        ({"directory": "/file"}, "is not a directory"),
        ({"directory": "/srv/backups", "keep": 0}, "keep: must be 1 or more"),
        ({"directory": "/srv/backups", "at": "daily\nUser=root"}, "not a time as systemd"),
    ],
)
def test_what_cannot_be_backed_up_to_is_refused_before_anything_is_made(
    fake: Fake, layout: HostLayout, source: Source, options: dict[str, Any], says: str
) -> None:
    layout.root.chmod(0o755)
    (layout.root / "closed").mkdir(mode=0o700)
    (layout.root / "link").symlink_to("opt")
    (layout.root / "file").touch()
    before = state(fake)
    with pytest.raises(WrongUse, match=says):
        choose(fake, source, **options)
    assert state(fake) == before


def test_a_time_that_systemd_does_not_know_is_refused(
    fake: Fake, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "succeeds", lambda self, *argv: argv[0] != "systemd-analyze")
    before = state(fake)
    with pytest.raises(WrongUse, match=r"--backup-at: 'sometimes' is not a time"):
        choose(fake, source, directory="/srv/backups", at="sometimes")
    assert state(fake) == before


def test_uninstalling_removes_the_units_and_never_the_backups(fake: Fake, layout: HostLayout, source: Source) -> None:
    before = state(fake)
    choose(fake, source, directory="/srv/backups")
    backup, stamp = layout.root / "srv/backups/sampan-20260301T120000Z.tar", layout.backup_stamp
    backup.touch()
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    assert str(layout.root / "srv/backups") not in Uninstaller(layout, fake).uninstall(purge=False)
    assert files_of(layout) == [True, False, False] and not fake.active and not stamp.exists()
    assert Uninstaller(layout, fake).uninstall(purge=True) == [
        str(layout.root / "srv"),
        str(layout.root / "srv/backups"),
    ]
    backup.unlink()
    for path in (backup.parent, backup.parent.parent, stamp.parent, stamp.parent.parent):
        path.rmdir()
    assert state(fake) == before


def old(version: str) -> list[HostFile]:
    """The host files of a release that knows of no backups."""
    return [HostFile(f"/etc/systemd/system/{MASTER}", f"# of {version}\n", ("systemctl", "daemon-reload"))]


def test_an_older_release_gets_no_timer_and_a_later_one_has_it_again(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    later = source_of(tmp_path, "2.0.0")
    install(fake, source_of(tmp_path, "1.0.0", needed=old("1.0.0")))
    Upgrader(layout, fake).upgrade(later)
    choose(fake, None, directory="/srv/backups")
    assert files_of(layout) == [True] * 3 and TIMER in fake.active
    Upgrader(layout, fake).roll_back()
    assert files_of(layout) == [True, False, False] and TIMER not in fake.active
    record = Record.load(layout)
    assert record is not None and not any("backup.t" not in path and "backup" in path for path in record.files)
    with pytest.raises(HostError, match=r"release 1\.0\.0 cannot make regular backups: upgrade first"):
        choose(fake, None, keep=3)
    Upgrader(layout, fake).upgrade(later)
    assert files_of(layout) == [True] * 3
    Upgrader(layout, fake).upgrade(source_of(tmp_path, "3.0.0"))
    assert files_of(layout) == [True] * 3


def test_a_release_that_does_not_know_of_backups_keeps_the_choice_when_it_upgrades(layout: HostLayout) -> None:
    """It removes the files of its record that the later release does not name."""
    layout.etc.mkdir()
    layout.backup_config.write_text(backups.text_of(Backups(Path("/srv/backups"))))
    paths = {file.path: file.content for file in needed(layout, ["master"])}
    assert paths["/etc/sampan/backup.toml"] == layout.backup_config.read_text()
    assert [file.path for file in needed(layout, ["agent"])] == ["/etc/systemd/system/sampan-agent.service"]


@pytest.mark.parametrize("directory", ["/srv/backups", ""], ids=["chosen", "removed"])
def test_killed_at_any_step_the_same_command_completes_it(tmp_path: Path, directory: str) -> None:
    source = source_of(tmp_path)

    def host(name: str) -> Fake:
        fake = Fake(fresh(tmp_path / name))
        if not directory:
            choose(fake, source, directory="/srv/backups")
        return fake

    whole = host("whole")
    choose(whole, source, directory=directory)
    for step in range(100):
        fake = host(f"host{step}")
        with pytest.MonkeyPatch.context() as patch:
            at_each_step(fake, patch, kill_at(step))
            try:
                choose(fake, source, directory=directory)
            except Killed:
                fake.trouble = lambda argv: None
            else:
                break
        choose(fake, source, directory=directory)
        assert state(fake) == state(whole), step
    assert step > 5


def test_a_directory_with_blanks_and_signs_is_one_word(layout: HostLayout) -> None:
    layout.etc.mkdir()
    layout.backup_config.write_text(backups.text_of(Backups(Path('/srv/my "backups" 100%'))))
    text = units.backup_units(layout)[SERVICE]
    assert ' --keep 7 "/srv/my \\"backups\\" 100%%"\n' in text
