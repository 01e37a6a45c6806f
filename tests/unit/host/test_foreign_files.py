"""Foreign files on the host stay, or are refused with the remedy; none is mistaken for ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from host.errors import HostError
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import ROLES, HostLayout, Role
from host.record import Record
from host.source import Source
from tests.fakes.host import SETTINGS, Fake, install, source_of, state, tree


@pytest.fixture
def checkout(layout: HostLayout) -> HostLayout:
    """A developer has cloned it to where we install, and has uncommitted work there."""
    for name in ("sampan", "cli/main.py", ".git/HEAD", "releases/notes.txt", "releases/1.0/text"):
        path = layout.opt / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return layout


def refuse(*words: str) -> Callable[[tuple[str, ...]], None]:
    """Fail once, at a command with these words."""
    left = [1]

    def trouble(argv: tuple[str, ...]) -> None:
        if set(words) <= set(argv) and left:
            left.clear()
            raise HostError(f"{argv[0]} failed")

    return trouble


@pytest.mark.parametrize("words", [("venv",), ("useradd",), ("daemon-reload",)], ids=" ".join)
def test_a_first_installation_that_fails_leaves_what_was_in_its_directory(
    fake: Fake, checkout: HostLayout, source: Source, words: tuple[str, ...]
) -> None:
    before = state(fake)
    fake.trouble = refuse(*words)
    with pytest.raises(HostError, match="failed"):
        install(fake, source)
    assert state(fake) == before


def test_any_error_of_a_first_installation_is_undone(
    fake: Fake, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(fake)

    def damaged(*_: object) -> None:
        raise ValueError("damaged")

    monkeypatch.setattr("host.wheels.unpack_one", damaged)
    with pytest.raises(ValueError, match="damaged"):
        install(fake, source)
    monkeypatch.undo()
    assert {**state(fake), "opt/sampan": ""} == {**before, "opt/sampan": ""}


def test_foreign_files_beside_ours_stay(fake: Fake, checkout: HostLayout, source: Source, tmp_path: Path) -> None:
    before = state(fake)
    install(fake, source)
    Upgrader(checkout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    Upgrader(checkout, fake).upgrade(source_of(tmp_path, "3.0.0"))
    assert {path.name for path in checkout.releases.iterdir()} == {"2.0.0", "3.0.0", "1.0", "notes.txt"}
    Uninstaller(checkout, fake).uninstall(purge=True)
    assert state(fake) == before


def test_a_foreign_directory_in_the_place_of_a_release_is_refused(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    (layout.releases / "1.0.0").mkdir(parents=True)
    (layout.releases / "1.0.0/text").write_text("mine")
    before = state(fake)
    with pytest.raises(HostError, match=r"releases/1\.0\.0 was not made by sampan: move it away"):
        install(fake, source)
    assert state(fake) == before


def _file(path: Path) -> None:
    path.write_text("#!/usr/bin/python3\n# pip's\n")


def _link(path: Path) -> None:
    path.symlink_to("/srv/sampan/bin/sampan")


def _mask(path: Path) -> None:
    path.symlink_to("/dev/null")


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("make", [_file, _link, _directory])
@pytest.mark.parametrize("place", ["command", "unit", "current"])
def test_a_foreign_file_in_a_place_of_ours_is_refused_before_anything_is_made(
    fake: Fake, layout: HostLayout, source: Source, place: str, make: Callable[[Path], None], role: Role
) -> None:
    path = {"command": layout.command, "unit": layout.unit(role), "current": layout.current}[place]
    path.parent.mkdir(exist_ok=True)
    make(path)
    if place == "current" and make is _link:
        path.unlink()
        return  # a link is what it is
    before = state(fake)
    with pytest.raises(HostError, match=r"was not made by sampan: move it away \(mv .*\), then run this again"):
        install(fake, source, role)
    assert state(fake) == before
    path.rename(f"{path}.old")
    install(fake, source, role)


def test_a_masked_service_stays_masked(fake: Fake, layout: HostLayout, source: Source) -> None:
    _mask(layout.unit("agent"))
    before = state(fake)
    with pytest.raises(HostError, match=r"masked on this host: run `systemctl unmask sampan-agent\.service`"):
        install(fake, source, "agent")
    assert state(fake) == before


def test_a_file_that_replaced_one_of_ours_stays(fake: Fake, layout: HostLayout, source: Source, tmp_path: Path) -> None:
    install(fake, source)
    for path, make in ((layout.command, _file), (layout.unit("master"), _mask)):
        path.unlink()
        make(path)
        with pytest.raises(HostError, match=r"not made by sampan|masked"):
            install(fake, source)
    remarks: list[str] = []
    restarts = list(fake.restarts)
    with pytest.raises(HostError, match=r"masked.*then this again$"):
        Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    record = Record.load(layout)
    assert record is not None and not record.target and layout.current.resolve().name == "1.0.0"
    assert fake.restarts == restarts
    before = tree(layout)
    Uninstaller(layout, fake, say=remarks.append).uninstall(purge=True)
    assert remarks == [
        f"{path} stays: it is not what was installed" for path in (layout.command, layout.unit("master"))
    ]
    assert not fake.active and ("systemctl", "--quiet", "stop", "sampan-master.service") in fake.calls
    for path in (layout.command, layout.unit("master")):
        name = str(path.relative_to(layout.root))
        assert tree(layout)[name] == before[name]


def test_without_the_record_installing_again_makes_uninstalling_complete(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    before = state(fake)
    install(fake, source, "agent")
    expected = tree(layout)
    layout.record.unlink()
    install(fake, source, "agent")
    assert {**tree(layout), "opt/sampan/installed.json": ""} == {**expected, "opt/sampan/installed.json": ""}
    record = Record.load(layout)
    assert record is not None and record.releases == ("1.0.0",)
    Uninstaller(layout, fake).uninstall(purge=True)
    left = {name for name in tree(layout) if name not in before}
    assert left <= {"etc/sampan", "etc/sampan/agent.toml", "var/lib/sampan", "var/lib/sampan/agent"}


@pytest.mark.parametrize("umask", [0o027, 0o077])
@pytest.mark.parametrize("before", ["", "install", "upgrade"], ids=["never installed", "again", "upgraded"])
def test_installed_files_are_readable_under_any_umask(
    fake: Fake, layout: HostLayout, source: Source, tmp_path: Path, umask: int, before: str
) -> None:
    """Otherwise the master's user could not run its program."""
    if before:
        install(fake, source)
        for each in (layout.opt, layout.releases, *layout.releases.rglob("*")):
            if not each.is_symlink():
                each.chmod(each.stat().st_mode & 0o7777 & ~umask)
    usual = os.umask(umask)
    try:
        if before == "upgrade":
            Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
            Upgrader(layout, fake).roll_back()
        else:
            install(fake, source)
        assert os.umask(umask) == umask, "it is the administrator's again"
    finally:
        os.umask(usual)
    for each in (layout.opt, *layout.opt.rglob("*"), layout.etc, layout.config("master"), layout.unit("master")):
        mode = each.stat().st_mode
        assert mode & 0o004 and (not each.is_dir() or mode & 0o001), each
    assert layout.state("master").stat().st_mode & 0o777 == 0o700
    assert shutil.which(str(layout.releases / "1.0.0/bin/sampan"))


def test_a_closed_directory_is_reported(fake: Fake, checkout: HostLayout, source: Source) -> None:
    checkout.opt.chmod(0o750)
    before = state(fake)
    with pytest.raises(HostError, match="is closed to the user sampan: run `chmod o\\+rx"):
        install(fake, source, settings=SETTINGS)
    assert state(fake) == before
