"""A host in a directory, and a fake system whose users and services are sets. A command can be killed at any step."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from host import config, files
from host.build import LOCK_IN_WHEEL
from host.errors import HostError
from host.host_files import HostFile
from host.installation.install import Installer
from host.layout import HostLayout, Role
from host.source import Source, python_version


class Killed(BaseException):
    """SIGKILL: no handler of the code under test runs."""


@dataclass
class Fake:
    """A system whose users and services are sets. `trouble` is called before each program."""

    layout: HostLayout
    root: bool = True
    users: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    starting: set[str] = field(default_factory=set)
    """Units that a killed command left starting."""
    stopping: set[str] = field(default_factory=set)
    jobs: dict[str, str] = field(default_factory=dict)
    """Queued jobs by unit, as a killed command left them."""
    failing: dict[str, str] = field(default_factory=dict)
    """Services that fail at each start and are always restarted, with their last message."""
    restarts: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Services that ended by themselves and were restarted by systemd."""
    slept: Callable[[], None] = lambda: None
    """Called when a command waits."""
    calls: list[tuple[str, ...]] = field(default_factory=list)
    trouble: Callable[[tuple[str, ...]], None] = lambda argv: None

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        self.calls.append(argv)
        self.trouble(argv)
        words = [word for word in argv if not word.startswith("-")]
        match words:
            case ["systemctl", "show", unit] if "--property=ActiveState" in argv:
                return f"ActiveState={self._state(unit)[0]}\n"
            case ["systemctl", "show", unit]:
                active, sub = self._state(unit)
                return f"ActiveState={active}\nSubState={sub}\nNRestarts={self.died.count(unit)}\n"
            case ["systemctl", "list-jobs", unit]:
                return f"  7 {unit} {self.jobs[unit]} waiting\n" if unit in self.jobs else ""
            case ["journalctl", *_]:
                unit = argv[argv.index("-u") + 1]
                return f"sampan: {self.failing[unit]}\n" if unit in self.failing else ""
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
            case [python, "host.host_files", *_]:
                return next(Path(python).parents[1].glob("lib/*/site-packages/host/host_files.py")).read_text()
        return ""

    def _state(self, unit: str) -> tuple[str, str]:
        if unit in self.stopping:
            return "deactivating", "stop-sigterm"
        if unit in self.starting:
            return "activating", "start"
        if unit in self.active:
            return "active", "running"
        return ("activating", "auto-restart") if unit in self.failing else ("inactive", "dead")

    def _systemctl(self, verb: str, units: list[str], *, now: bool) -> None:
        if verb == "enable":
            self.enabled.update(units)
        elif verb == "disable":
            self.enabled.difference_update(units)
            if now:
                self.active.difference_update(units)
        elif verb == "stop":
            self.active.difference_update(units)
        elif verb in ("start", "restart"):
            if verb == "restart" or units[0] not in self.active:
                self.restarts.extend(units)
            self.jobs.pop(units[0], None)
            self.stopping.difference_update(units)
            if units[0] in self.failing:
                self.active.difference_update(units)
                raise HostError("systemctl failed: the control process exited with error code")
            self.active.update(units)
            self.starting.difference_update(units)

    @staticmethod
    def _venv(directory: Path) -> None:
        (directory / "bin").mkdir(parents=True)
        (directory / "bin/python").touch()
        (directory / "lib" / f"python{python_version()}" / "site-packages").mkdir(parents=True)

    def succeeds(self, *argv: str) -> bool:
        self.calls.append(argv)
        return True

    def has_user(self, name: str) -> bool:
        return name in self.users

    def own(self, path: Path, user: str) -> None:
        assert path.exists() and user in self.users

    def is_root(self) -> bool:
        return self.root

    def sleep(self, seconds: float) -> None:
        self.slept()


def fresh(root: Path) -> HostLayout:
    for name in ("run/systemd/system", "etc/systemd/system", "usr/local/bin", "opt", "var/lib"):
        (root / name).mkdir(parents=True)
    return HostLayout(root)


def source_of(
    tmp_path: Path, version: str = "1.0.0", content: str = "", needed: Sequence[HostFile] | str | None = None
) -> Source:
    """`needed`: the host files with which the release answers, or the text that it prints."""
    house = tmp_path / f"house-{version}-{content}"
    (house / "wheels").mkdir(parents=True)
    wheel = house / f"sampan-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(LOCK_IN_WHEEL, "")
        archive.writestr("cli/main.py", content)
        if needed is not None:
            output = needed if isinstance(needed, str) else json.dumps([asdict(file) for file in needed])
            archive.writestr("host/host_files.py", output)
    return Source(wheel, house / "wheels")


SETTINGS: config.Settings = {"advertise_addresses": ["10.0.0.1"]}


def install(fake: Fake, source: Source, role: Role = "master", settings: config.Settings | None = None) -> None:
    if settings is None:
        settings = SETTINGS if role == "master" else {"node_name": "n1"}
    Installer(fake.layout, fake).install(role, source, settings)


def tree(layout: HostLayout) -> dict[str, str]:
    """Every path below the root, with its mode, and a file's or link's content."""
    files_and_modes = {}
    for path in sorted(layout.root.rglob("*")):
        mode = f"{path.lstat().st_mode:o}"
        content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        files_and_modes[str(path.relative_to(layout.root))] = f"{mode} {content}"
    return files_and_modes


def state(fake: Fake) -> dict[str, object]:
    return {**tree(fake.layout), "users": set(fake.users), "enabled": set(fake.enabled), "active": set(fake.active)}


def at_each_step(fake: Fake, monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    fake.trouble = lambda argv: (happen(), None)[1]
    for name in ("write", "link"):
        monkeypatch.setattr(f"host.files.{name}", _preceded(getattr(files, name), happen))


def _preceded(function: Callable[..., bool], happen: Callable[[], object]) -> Callable[..., bool]:
    def both(*arguments: Any, **named: Any) -> bool:
        happen()
        return function(*arguments, **named)

    return both


def kill_at(step: int) -> Callable[[], None]:
    left = iter(range(step))

    def happen() -> None:
        if next(left, None) is None:
            raise Killed

    return happen
