"""Removes what installing made, and only that: the record knows.

Without `purge`, people's work stays: configuration, state, the user that owns it, and the record of them. Interrupted
anywhere, the same command completes it: the record goes last.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from host import files, release
from host.errors import HostError, NotInstalled
from host.layout import BACKUP_UNITS, ROLES, USER, HostLayout, Role
from host.record import Record
from host.services import configured, running, snippets
from host.system import System
from hull import sweep, systemd

Step = Callable[[str], AbstractContextManager[None]]
IDENTITY = "identity.json"
"""In an agent's state directory: this host is a node (agent/identity/files.py)."""


@dataclass(frozen=True, slots=True)
class Uninstaller:
    """Uninstalls on one host."""

    layout: HostLayout
    system: System
    step: Step = field(default=lambda _: nullcontext())
    say: Callable[[str], None] = field(default=lambda _: None)
    no_return: Callable[[], object] = field(default=lambda: None)
    """Called before anything is removed that the command itself consists of: nobody could run it again."""

    def uninstall(self, *, purge: bool, force: bool = False) -> list[str]:
        """What was kept, as paths and words; after a purge, what was not only ours.

        A host that is still a node is refused unless forced: its pods would run on without anybody who knows of them.
        Raises NotInstalled, HostError.
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
                directories = dict.fromkeys((*states, *map(self.layout.real, record.directories)))
                return [str(path) for path in directories if path.is_dir()]
            configs = tuple(self._configs(record))
            left = replace(record, roles=(), release="", previous="", target="", ran=(), files=configs, releases=())
            left.save(self.layout)
        return self._kept(record)

    def _stop(self, record: Record) -> None:
        """Also roles that are half installed: their units exist before the record names the role."""
        for name in BACKUP_UNITS:
            if self.layout.seen(self.layout.units / name) in record.files:
                running.stop(self.system, name)
        for role in ROLES:
            unit = self.layout.unit(role)
            if self.layout.seen(unit) in record.files and unit.exists():
                service = running.unit_of(self.system, role)
                if unit.is_symlink():
                    service.stop()  # An administrator has masked it: that stays.
                else:
                    service.disable(now=True)

    def _remove_program(self, record: Record) -> None:
        """Units, command and releases. The directory of the record itself stays."""
        self._remove_files(record)
        for role in ROLES:
            if self.layout.seen(self.layout.unit(role)) in record.files:
                running.unit_of(self.system, role).forget_failures()
        if self.layout.seen(self.layout.units / BACKUP_UNITS[0]) in record.files:
            files.remove(self.layout.backup_stamp)
        systemd.reload_units(self.system.run)
        for line in snippets.reload(self.system, record.files):
            self.say(line)
        if not os.path.lexists(self.layout.current) or self.layout.current.is_symlink():
            files.remove(self.layout.current)
        release.remove(self.layout, release.made(self.layout, record))
        remove_empty(self.layout.releases)

    def _remove_files(self, record: Record) -> None:
        kept = set(self._configs(record))
        removed = [self.layout.real(name) for name in record.files if name not in kept]
        for path in removed:
            self._remove_file(path)
        # Directories of ours that were for these files only, such as those of shell completions.
        made = [self.layout.real(name) for name in reversed(record.directories)]
        remove_empty(*(directory for directory in made if any(directory in path.parents for path in removed)))

    def _remove_file(self, path: Path) -> None:
        """Unless something else has been put in its place."""
        target = str(path.readlink()) if path.is_symlink() else ""
        if target == (self.layout.command_target if path == self.layout.command else "") or not os.path.lexists(path):
            files.remove(path)
        else:
            self.say(f"{path} stays: it is not what was installed")

    def _states(self, role: Role) -> list[Path]:
        """The role's state directory by its configuration, and the default one, in case that was changed."""
        try:
            return [configured.state(role, self.layout), self.layout.state(role)]
        except HostError:
            return [self.layout.state(role)]

    def _purge(self, record: Record, states: Iterable[Path]) -> None:
        """State goes before the configuration that names its directory: after an interrupt it must be found again."""
        for state in states:
            if self.layout.seen(state) in record.directories and state.is_dir():
                # Pods' secrets are file systems in memory. A disk that is mounted at the directory itself stays.
                sweep.unmount_below(state.resolve(), itself=False)
                shutil.rmtree(state)
        for name in self._configs(record):
            files.remove(self.layout.real(name))
        remove_empty(*(self.layout.real(name) for name in reversed(record.directories)))
        if record.user_made and self.system.has_user(USER):
            self.system.run("userdel", USER)

    def _configs(self, record: Record) -> list[str]:
        """Files that people may have edited."""
        configs = {self.layout.seen(path) for path in self.layout.configs}
        return [name for name in record.files if name in configs]

    def _kept(self, record: Record) -> list[str]:
        names = [name for name in record.directories if self.layout.real(name).is_dir()]
        tops = [name for name in names if not any(name.startswith(f"{other}/") for other in names)]
        return [*tops, *([f"the user {USER}"] if record.user_made else [])]


def remove_empty(*directories: Path) -> None:
    """Those that contain nothing."""
    for path in directories:
        with suppress(OSError):
            path.rmdir()
