"""Installing, upgrading and removing on a host in a directory, with a system that only pretends."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cli.host import config, files, release, system
from cli.host.errors import HostError, InUse, NotInstalled, WrongUse
from cli.host.install import Installer
from cli.host.layout import HostLayout, Role
from cli.host.record import Record
from cli.host.source import LOCK_IN_WHEEL, Source, python_version
from cli.host.uninstall import Uninstaller
from cli.host.upgrade import Upgrader


class Killed(BaseException):
    """kill -9: no handler of the code under test runs."""


@dataclass
class Fake:
    """A system whose users and services are sets. `trouble` is asked before each command."""

    layout: HostLayout
    root: bool = True
    users: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    restarts: list[str] = field(default_factory=list)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    trouble: Callable[[tuple[str, ...]], None] = lambda argv: None

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        self.calls.append(argv)
        self.trouble(argv)
        words = [word for word in argv if not word.startswith("-")]
        match words:
            case ["systemctl", verb, *units]:
                self._systemctl(verb, units, now="--now" in argv)
                return "systemd 252 (252.39)" if "--version" in argv else ""
            case ["systemctl"]:
                return "systemd 252 (252.39)"
            case ["useradd", *_]:
                self.users.add(argv[-1])
            case ["userdel", name]:
                self.users.remove(name)
            case [_, "venv", directory]:
                self._venv(Path(directory))
        return ""

    def _systemctl(self, verb: str, units: list[str], *, now: bool) -> None:
        if verb == "enable":
            self.enabled.update(units)
        elif verb == "disable":
            self.enabled.difference_update(units)
            if now:
                self.active.difference_update(units)
        elif verb in ("start", "restart"):
            if verb == "restart" or units[0] not in self.active:
                self.restarts.extend(units)
            self.active.update(units)

    @staticmethod
    def _venv(directory: Path) -> None:
        (directory / "bin").mkdir(parents=True)
        (directory / "bin/python").touch()
        (directory / "lib" / f"python{python_version()}" / "site-packages").mkdir(parents=True)

    def succeeds(self, *argv: str) -> bool:
        return argv[0] != "systemctl" or argv[-1] in self.active

    def has_user(self, name: str) -> bool:
        return name in self.users

    def own(self, path: Path, user: str) -> None:
        assert path.exists() and user in self.users

    def is_root(self) -> bool:
        return self.root


def fresh(root: Path) -> HostLayout:
    for name in ("run/systemd/system", "etc/systemd/system", "usr/local/bin", "opt", "var/lib"):
        (root / name).mkdir(parents=True)
    return HostLayout(root)


@pytest.fixture
def layout(tmp_path: Path) -> HostLayout:
    return fresh(tmp_path / "host")


@pytest.fixture
def fake(layout: HostLayout) -> Fake:
    return Fake(layout)


def source_of(tmp_path: Path, version: str = "1.0.0", content: str = "") -> Source:
    house = tmp_path / f"house-{version}-{content}"
    (house / "wheels").mkdir(parents=True)
    wheel = house / f"sampan-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(LOCK_IN_WHEEL, "")
        archive.writestr("cli/main.py", content)
    return Source(wheel, house / "wheels")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return source_of(tmp_path)


SETTINGS: config.Settings = {"advertise_addresses": ["10.0.0.1"]}


def install(fake: Fake, source: Source, role: Role = "master", settings: config.Settings | None = None) -> None:
    if settings is None:
        settings = SETTINGS if role == "master" else {"node_name": "n1"}
    Installer(fake.layout, fake).install(role, source, settings)


def tree(layout: HostLayout) -> dict[str, str]:
    """Every path below the root, with its mode, and a file's or link's content."""
    found = {}
    for path in sorted(layout.root.rglob("*")):
        mode = f"{path.lstat().st_mode:o}"
        content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(layout.root))] = f"{mode} {content}"
    return found


def state(fake: Fake) -> dict[str, object]:
    return {**tree(fake.layout), "users": set(fake.users), "enabled": set(fake.enabled), "active": set(fake.active)}


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


def test_installed_again_nothing_changes(fake: Fake, source: Source) -> None:
    install(fake, source)
    before, restarts = state(fake), list(fake.restarts)
    install(fake, source, settings={"cluster_name": "other"})
    assert (state(fake), fake.restarts) == (before, restarts)


def test_purged_the_host_is_as_it_was(fake: Fake, layout: HostLayout, source: Source) -> None:
    before = state(fake)
    install(fake, source)
    install(fake, source, "agent")
    (layout.state("master") / "store.db").write_text("data")
    assert Uninstaller(layout, fake).uninstall(purge=True) == []
    assert state(fake) == before


def test_what_was_there_before_stays(fake: Fake, layout: HostLayout, source: Source) -> None:
    layout.etc.mkdir()
    layout.config("master").write_text("mine\n")
    layout.var.mkdir()
    fake.users.add("sampan")
    before = state(fake)
    install(fake, source, settings={})
    assert layout.config("master").read_text() == "mine\n"
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before


def test_without_purge_work_stays_and_a_later_purge_knows_of_it(fake: Fake, layout: HostLayout, source: Source) -> None:
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


def _at_each_step(fake: Fake, monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    fake.trouble = lambda argv: (happen(), None)[1]
    for name in ("write", "link"):
        monkeypatch.setattr(f"cli.host.files.{name}", _preceded(getattr(files, name), happen))


def _preceded(function: Callable[..., bool], happen: Callable[[], object]) -> Callable[..., bool]:
    def both(*arguments: Any, **named: Any) -> bool:
        happen()
        return function(*arguments, **named)

    return both


def _kill_at(step: int) -> Callable[[], None]:
    left = iter(range(step))

    def happen() -> None:
        if next(left, None) is None:
            raise Killed

    return happen


@pytest.fixture
def number_of_steps(tmp_path: Path) -> int:
    """How many times an installation asks the system or writes a file."""
    counted = count()
    with pytest.MonkeyPatch.context() as patch:
        fake = Fake(fresh(tmp_path / "counted"))
        _at_each_step(fake, patch, lambda: next(counted))
        install(fake, source_of(tmp_path, content="counted"))
    return next(counted)


def test_killed_at_any_step_the_same_command_ends_as_if_it_had_not_been(
    fake: Fake, layout: HostLayout, source: Source, number_of_steps: int
) -> None:
    assert number_of_steps > 10
    empty = state(fake)
    install(fake, source)
    wanted = state(fake)
    for step in range(number_of_steps):
        Uninstaller(layout, fake).uninstall(purge=True)
        assert state(fake) == empty
        with pytest.MonkeyPatch.context() as patch:
            _at_each_step(fake, patch, _kill_at(step))
            with pytest.raises(Killed):
                install(fake, source)
        fake.trouble = lambda argv: None
        _without_record_nothing_is_there(fake, empty)
        install(fake, source)
        assert {**state(fake), "opt/sampan/installed.json": ""} == {**wanted, "opt/sampan/installed.json": ""}, step
        assert set(_record(layout).files) == {
            "/etc/sampan/master.toml", "/usr/local/bin/sampan", "/etc/systemd/system/sampan-master.service",
        }  # fmt: skip


def test_killed_at_any_step_of_installing_it_can_be_removed(
    fake: Fake, layout: HostLayout, source: Source, number_of_steps: int
) -> None:
    empty = state(fake)
    for step in range(number_of_steps):
        with pytest.MonkeyPatch.context() as patch:
            _at_each_step(fake, patch, _kill_at(step))
            with pytest.raises(Killed):
                install(fake, source)
        fake.trouble = lambda argv: None
        if layout.record.exists():
            Uninstaller(layout, fake).uninstall(purge=True)
        assert {key: value for key, value in state(fake).items() if key != "opt/sampan"} == empty, step


def test_what_was_being_written_goes_too(fake: Fake, layout: HostLayout, source: Source) -> None:
    before = state(fake)
    install(fake, source)
    for path in (layout.unit("master"), layout.config("master"), layout.command, layout.current, layout.record):
        path.with_name(f".{path.name}.new").write_text("half")
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before


def _without_record_nothing_is_there(fake: Fake, empty: dict[str, object]) -> None:
    if not fake.layout.record.exists():
        here = {key: value for key, value in state(fake).items() if not key.startswith("opt/sampan")}
        assert here == empty


def _record(layout: HostLayout) -> Record:
    found = Record.load(layout)
    assert found is not None
    return found


def test_what_fails_on_a_fresh_host_is_undone(fake: Fake, source: Source) -> None:
    before = state(fake)

    def refuse(argv: tuple[str, ...]) -> None:
        if "useradd" in argv:
            raise HostError("useradd failed: /etc is read-only")

    fake.trouble = refuse
    with pytest.raises(HostError, match="read-only"):
        install(fake, source)
    assert state(fake) == before


def test_a_disk_that_is_full_is_told_before(fake: Fake, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(fake)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1 << 20})())
    with pytest.raises(HostError, match="1 MiB are free there: make room"):
        install(fake, source)
    assert state(fake) == before


def test_an_upgrade_keeps_the_way_back(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        if version == "1.0.0":
            install(fake, source_of(tmp_path, version))
        else:
            assert Upgrader(layout, fake).upgrade(source_of(tmp_path, version)) == version
    assert sorted(path.name for path in layout.releases.iterdir()) == ["1.1.0", "1.2.0"]
    assert Upgrader(layout, fake).roll_back() == "1.1.0"
    assert release.current(layout) == "1.1.0" and _record(layout).previous == "1.2.0"
    assert fake.restarts == ["sampan-master.service"] * 4


def test_a_release_that_does_not_start_is_taken_back(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    install(fake, source_of(tmp_path))

    def refuse(argv: tuple[str, ...]) -> None:
        if "restart" in argv and release.current(layout) == "2.0.0":
            raise HostError("systemctl failed")

    fake.trouble = refuse
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again"):
        Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    assert release.current(layout) == _record(layout).release == "1.0.0" and _record(layout).previous == ""


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


def test_who_may_not_or_where_it_cannot_be_is_told(fake: Fake, layout: HostLayout, source: Source) -> None:
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


def test_options_that_the_master_would_not_take_are_refused(fake: Fake, source: Source) -> None:
    before = state(fake)
    with pytest.raises(WrongUse, match="service_cidr"):
        install(fake, source, settings={**SETTINGS, "service_cidr": "10.244.0.0/16"})
    assert state(fake) == before


def test_a_record_that_cannot_be_read_stops_everything(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source)
    for text in ("{", json.dumps({"format": 2}), json.dumps({"format": 1, "other": 1})):
        layout.record.write_text(text)
        with pytest.raises(HostError, match=r"installed\.json cannot be read"):
            Uninstaller(layout, fake).uninstall(purge=True)
    assert layout.unit("master").exists()


def test_one_command_at_a_time(layout: HostLayout) -> None:
    with system.exclusive(layout.lock), pytest.raises(InUse), system.exclusive(layout.lock):
        pass
