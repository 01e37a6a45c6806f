"""Takes away what installing made, and only that: the record says what.

Without `purge`, what is somebody's work stays: configuration, state, the user that owns it, and the record that knows
of them. Interrupted anywhere, the same command goes on: the record goes last.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from host import files, release
from host.errors import HostError, NotInstalled
from host.layout import ROLES, USER, HostLayout, Role
from host.record import Record
from host.services import configured, running, snippets
from host.system import System
from hull import sweep, systemd

Step = Callable[[str], AbstractContextManager[None]]
IDENTITY = "identity.json"
"""In an agent's state: this host is a node (agent/identity/files.py)."""


@dataclass(frozen=True, slots=True)
class Uninstaller:
    """Uninstalls on one host."""

    layout: HostLayout
    system: System
    step: Step = field(default=lambda _: nullcontext())
    say: Callable[[str], None] = field(default=lambda _: None)
    no_return: Callable[[], object] = field(default=lambda: None)
    """Called before anything goes that the command itself is made of: nobody could run it again."""

    def uninstall(self, *, purge: bool, force: bool = False) -> list[str]:
        """What was kept, as paths and words; of a purge, what was not ours alone. Raises NotInstalled, HostError.

        A host that is still a node is refused unless forced: its pods would run on, and nobody would know of them.
        """
        if not self.system.is_root():
            raise HostError("only root may change this host: run it with sudo")
        record = Record.load(self.layout)
        if record is None:
            raise NotInstalled("nothing is installed here")
        states = [*dict.fromkeys(path for role in ROLES for path in self._states(role))]
        is_node = any((state / IDENTITY).exists() for state in self._states("agent"))
        if "agent" in record.roles and is_node and not force:
            raise HostError("this host is still a node: run `sampan leave` first, or `sampan reset` without its master")
        with self.step("services"):
            self._stop(record)
        self.no_return()
        with self.step("files"):
            self._remove_program(record)
            if purge:
                self._purge(record, states)
                files.remove(self.layout.record)
                remove_empty(self.layout.opt)
                if self.layout.seen(self.layout.opt.parent) in record.directories:
                    remove_empty(self.layout.opt.parent)
                perhaps = dict.fromkeys((*states, *map(self._there, record.directories)))
                return [str(path) for path in perhaps if path.is_dir()]
            people = tuple(self._of_people(record))
            left = replace(record, roles=(), release="", previous="", target="", ran=(), files=people, releases=())
            left.save(self.layout)
        return self._kept(record)

    def _stop(self, record: Record) -> None:
        """Also roles that are half installed: their units are there before the record says so."""
        for role in ROLES:
            unit = self.layout.unit(role)
            if self.layout.seen(unit) in record.files and unit.exists():
                # A link is somebody's, who has masked it: that stays.
                service = running.unit_of(self.system, role)
                service.stop() if unit.is_symlink() else service.disable(now=True)

    def _remove_program(self, record: Record) -> None:
        """Units, command and releases. The directory of the record itself goes with it."""
        keep = set(self._of_people(record))
        for name in record.files:
            if name not in keep:
                self._remove_file(name)
        for role in ROLES:
            if self.layout.seen(self.layout.unit(role)) in record.files:
                running.unit_of(self.system, role).forget_failures()
        systemd.reload_units(self.system.run)
        for line in snippets.reload(self.system, record.files):
            self.say(line)
        if not os.path.lexists(self.layout.current) or self.layout.current.is_symlink():
            files.remove(self.layout.current)
        release.remove(self.layout, release.made(self.layout, record))
        remove_empty(self.layout.releases)

    def _remove_file(self, name: str) -> None:
        """Unless somebody has put something else in its place."""
        path = self._there(name)
        leads = str(path.readlink()) if path.is_symlink() else ""
        if leads == (self.layout.command_target if path == self.layout.command else "") or not os.path.lexists(path):
            files.remove(path)
        else:
            self.say(f"{path} stays: it is not what was installed")

    def _states(self, role: Role) -> list[Path]:
        """Where the role's state is, by the configuration, and where it may have been before that was changed."""
        try:
            return [configured.state(role, self.layout), self.layout.state(role)]
        except HostError:
            return [self.layout.state(role)]

    def _purge(self, record: Record, states: Iterable[Path]) -> None:
        """State before the configuration that says where it is: an interrupted command must find it again."""
        for state in states:
            if self.layout.seen(state) in record.directories and state.is_dir():
                # Secrets of pods are file systems in memory. A disk that a person mounted at `state` itself stays.
                sweep.unmount_below(state.resolve(), itself=False)
                shutil.rmtree(state)
        for name in self._of_people(record):
            files.remove(self._there(name))
        remove_empty(*(self._there(name) for name in reversed(record.directories)))
        if record.user_made and self.system.has_user(USER):
            self.system.run("userdel", USER)

    def _of_people(self, record: Record) -> list[str]:
        """Files that may have been edited."""
        configs = {self.layout.seen(self.layout.config(role)) for role in ROLES}
        return [name for name in record.files if name in configs]

    def _kept(self, record: Record) -> list[str]:
        names = [name for name in record.directories if self._there(name).is_dir()]
        tops = [name for name in names if not any(name.startswith(f"{other}/") for other in names)]
        return [*tops, *([f"the user {USER}"] if record.user_made else [])]

    def _there(self, seen: str) -> Path:
        return self.layout.root / seen.lstrip("/")


def remove_empty(*directories: Path) -> None:
    """As far as nobody put anything into them."""
    for path in directories:
        with suppress(OSError):
            path.rmdir()
