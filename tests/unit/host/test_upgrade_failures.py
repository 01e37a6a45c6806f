"""Upgrades that fail: the last release that ran runs again, or the same command completes the upgrade."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from host import release
from host.errors import HostError
from host.host_files import HostFile, main, needed
from host.installation.install import Installer
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from host.system import Commands
from tests.fakes.host import Fake, Killed, at_each_step, fresh, install, kill_at, source_of, state


def record(fake: Fake) -> Record:
    loaded = Record.load(fake.layout)
    assert loaded is not None
    return loaded


def runs(fake: Fake) -> tuple[str, str, str]:
    """The target of `current`, and the record's release and unfinished target."""
    loaded = record(fake)
    return release.current(fake.layout), loaded.release, loaded.target


def restart_fails_of(fake: Fake, *releases: str) -> Callable[[tuple[str, ...]], None]:
    def trouble(argv: tuple[str, ...]) -> None:
        if "restart" in argv and release.current(fake.layout) in releases:
            raise HostError(f"{release.current(fake.layout)} failed")

    return trouble


# --- whose files ------------------------------------------------------------------------------------------------------


def units_of(version: str, *more: HostFile) -> list[HostFile]:
    reload = ("systemctl", "daemon-reload")
    return [HostFile("/etc/systemd/system/sampan-agent.service", f"agent {version}\n", reload), *more]


def test_units_and_snippets_are_those_of_the_running_release_after_upgrade_and_rollback(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    """Although the command of one release does all of it."""
    before = state(fake)
    later = HostFile("/etc/later.conf.d/sampan.conf", "of 2.0.0\n", ("later", "reload"), "later.service", optional=True)
    old = source_of(tmp_path, "1.0.0", needed=units_of("1.0.0"))
    new = source_of(tmp_path, "2.0.0", needed=units_of("2.0.0", later))
    fake.active.add("later.service")
    unit, extra = layout.unit("agent"), layout.root / "etc/later.conf.d/sampan.conf"
    install(fake, old, "agent")
    assert unit.read_text() == "agent 1.0.0\n" and not extra.exists()
    fake.calls.clear()
    Upgrader(layout, fake).upgrade(new)
    assert (unit.read_text(), extra.read_text()) == ("agent 2.0.0\n", "of 2.0.0\n")
    assert {("systemctl", "daemon-reload"), ("later", "reload")} <= set(fake.calls)
    Upgrader(layout, fake).roll_back()
    assert unit.read_text() == "agent 1.0.0\n" and not extra.exists()
    fake.trouble = restart_fails_of(fake, "2.0.0")
    fake.active.add("sampan-agent.service")
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again"):
        Upgrader(layout, fake).upgrade(new)
    assert unit.read_text() == "agent 1.0.0\n" and not extra.exists()
    Uninstaller(layout, fake).uninstall(purge=True)
    fake.active.discard("later.service")
    assert state(fake) == before


def test_a_release_answers_with_its_host_files(
    layout: HostLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from host import host_files

    assert main(["agent", "master"], layout) == 0
    output = capsys.readouterr().out
    monkeypatch.setattr(Commands, "run", lambda self, *argv: output)
    monkeypatch.setattr(release, "packages", lambda layout, name: Path(host_files.__file__).parents[1])
    answer = host_files.of_release(layout, Commands(), "1.0.0", ["agent", "master"])
    assert answer == needed(layout, ["master", "agent"])
    assert [file.path for file in answer] == [
        f"/etc/systemd/system/sampan-{role}.service" for role in ("master", "agent")
    ]


def test_a_release_that_cannot_list_its_host_files_changes_nothing(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    install(fake, source_of(tmp_path, needed=units_of("1.0.0")), "agent")
    unit = layout.unit("agent").read_text()
    for number, output in enumerate(("broken", '[{"path": "/etc/x"}]', "[1]", "7")):
        new = source_of(tmp_path, f"2.0.{number}", needed=output)
        with pytest.raises(HostError, match=rf"release 2\.0\.{number} does not say which files it needs"):
            Upgrader(layout, fake).upgrade(new)
        assert runs(fake) == ("1.0.0", "1.0.0", "") and layout.unit("agent").read_text() == unit


# --- whatever the error -----------------------------------------------------------------------------------------------


def test_any_error_at_any_step_brings_the_old_release_back(tmp_path: Path) -> None:
    """A disk that is full, an /etc that cannot be written."""
    old, new = source_of(tmp_path), source_of(tmp_path, "2.0.0")
    for step in count():
        fake = Fake(fresh(tmp_path / f"host{step}"))
        install(fake, old)
        before, fake.restarts[:] = state(fake), []
        steps = kill_at(step)
        happened: list[int] = []

        def happen(steps: Callable[[], None] = steps, happened: list[int] = happened) -> None:
            if happened:
                return
            try:
                steps()
            except Killed:
                happened.append(1)
                raise OSError(errno.EROFS, "Read-only file system", "/etc/systemd/system/x") from None

        with pytest.MonkeyPatch.context() as patch:
            at_each_step(fake, patch, happen)
            try:
                Upgrader(fake.layout, fake).upgrade(new)
            except (HostError, OSError) as error:
                assert "Read-only file system" in str(error), step
        if not happened:
            break
        fake.trouble = lambda argv: None
        current, good, target = runs(fake)
        if fake.restarts and current == "2.0.0":
            assert "2.0.0" in (good, target), step  # it ran already: what failed is the record of that, or tidying up
        else:
            assert (current, good) == ("1.0.0", "1.0.0"), step
        if fake.restarts and current == "1.0.0" and not target:
            same = {name: value for name, value in state(fake).items() if "opt/sampan/releases" not in name}
            assert all(before[name] == value for name, value in same.items() if "installed.json" not in name), step
        Upgrader(fake.layout, fake).upgrade(new)
        assert runs(fake) == ("2.0.0", "2.0.0", ""), step
    assert step > 7


def test_when_neither_release_starts_the_last_good_one_is_known_and_the_same_command_completes_it(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    new = source_of(tmp_path, "2.0.0")
    install(fake, source_of(tmp_path))
    fake.trouble = restart_fails_of(fake, "1.0.0", "2.0.0")
    for _ in range(2):
        with pytest.raises(
            HostError, match=r"2\.0\.0 failed.*release 1\.0\.0 does not run again either: .*1\.0\.0 failed"
        ):
            Upgrader(layout, fake).upgrade(new)
        assert runs(fake) == ("1.0.0", "1.0.0", "2.0.0")
    fake.trouble = restart_fails_of(fake, "2.0.0")
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again"):
        Upgrader(layout, fake).upgrade(new)
    assert runs(fake) == ("1.0.0", "1.0.0", "")
    fake.trouble = lambda argv: None
    Upgrader(layout, fake).upgrade(new)
    assert runs(fake) == ("2.0.0", "2.0.0", "") and record(fake).previous == "1.0.0"


def test_an_interrupted_upgrade_is_rolled_back_to_the_release_that_ran(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    for version in ("1.0.0", "2.0.0"):
        install(fake, source_of(tmp_path, version)) if version == "1.0.0" else Upgrader(layout, fake).upgrade(
            source_of(tmp_path, version)
        )

    def kill(argv: tuple[str, ...]) -> None:
        if "restart" in argv:
            raise Killed

    fake.trouble = kill
    with pytest.raises(Killed):
        Upgrader(layout, fake).upgrade(source_of(tmp_path, "3.0.0"))
    assert runs(fake) == ("3.0.0", "2.0.0", "3.0.0")
    fake.trouble = lambda argv: None
    with pytest.raises(HostError, match="interrupted here: run it again, or `sampan upgrade --rollback`"):
        Installer(layout, fake).install("agent", None, {"node_name": "n1"})
    assert Upgrader(layout, fake).roll_back() == "2.0.0"
    assert runs(fake) == ("2.0.0", "2.0.0", "") and record(fake).previous == "1.0.0"


def test_a_release_that_starts_and_does_not_stay_up_is_taken_back(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    install(fake, source_of(tmp_path))

    def die() -> None:
        if release.current(layout) == "2.0.0":
            fake.died.append("sampan-master.service")

    fake.slept = die
    with pytest.raises(HostError, match=r"the master starts, but does not stay up.*; release 1\.0\.0 runs again"):
        Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    assert runs(fake) == ("1.0.0", "1.0.0", "")


def test_a_service_that_stops_with_the_new_release_runs_again_with_the_old_one(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    install(fake, source_of(tmp_path))

    def give_up() -> None:
        if release.current(layout) == "2.0.0":
            fake.active.clear()

    fake.slept = give_up
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again"):
        Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    assert fake.active == {"sampan-master.service"}
