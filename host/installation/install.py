"""Installs a role on this host, step by step; each step sees what is done already and does the rest.

Interrupted anywhere, the same command completes it. A failure on a host without anything of ours is undone. The units
are written after everything that they start, so what looks installed is.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from host import config, files, host_files, release
from host.errors import HostError, WrongUse
from host.host_files import HostFile
from host.layout import BACKUP_UNITS, USER, HostLayout, Role
from host.record import Recorder
from host.services import backups, configured, running
from host.source import Source
from host.system import System
from hull.errors import HullError
from hull.systemd import Unit

Step = Callable[[str], AbstractContextManager[None]]
_OF_A_MASTER: Final = {"pki", "store.db", "lock", "restoring"}
"""A master's data directory contains at least one of them from the first moment on (master/datadir.py)."""
_OF_FILE_SYSTEMS: Final = "lost+found"


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs on one host. `step` shows each step, `say` a remark."""

    layout: HostLayout
    system: System
    step: Step = field(default=lambda _: nullcontext())
    say: Callable[[str], None] = field(default=lambda _: None)

    @files.usual_umask()
    def install(
        self,
        role: Role,
        source: Source | None,
        settings: config.Settings,
        *,
        start: bool = True,
        backup_options: backups.Given | None = None,
    ) -> None:
        """Install the role; the master starts, an agent waits for `sampan join`. Raises HostError.

        Without a source, the installed release is used: for another role, or after a change of the configuration.
        `backup_options` change when backups of the master are made; none of them: as before.
        """
        self.require()
        text = "" if self.layout.config(role).exists() else config.text_of(role, self.layout, settings)
        if not text and settings:
            self.say(f"{self.layout.config(role)} exists and is not changed: the options for it have no effect")
        recorder = Recorder(self.layout)
        if recorder.record.target:
            raise HostError(
                "an upgrade was interrupted here: run it again, or `sampan upgrade --rollback`, before this"
            )
        if source is not None:
            self._require_same_release(recorder, source)
        elif not release.is_complete(self.layout, recorder.record.release):
            raise WrongUse("this is not a checkout, and nothing is installed: name a wheel or a bundle with --from")
        self._require_free(role, recorder)
        if backup_options:
            self._check_backups(backup_options, recorder)
        try:
            self._place(role, source, text, recorder, backup_options or {})
        except Exception as error:
            undone = recorder.fresh and self._undo()
            if isinstance(error, OSError):
                what = f"{error.filename or self.layout.opt}: {error.strerror}"
                raise HostError(f"{what}; nothing was kept" if undone else what) from error
            raise
        if role == "master" and start:
            with self.step("master"):
                running.unit_of(self.system, role).enable()
                running.start(self.system, role)
                if (self.layout.units / BACKUP_UNITS[0]).exists():
                    # A master that is up already was started without it, or with another time.
                    Unit(BACKUP_UNITS[0], self.system.run).restart()

    def require(self) -> None:
        """Raise HostError where installing is impossible."""
        if not self.system.is_root():
            raise HostError("only root may change this host: run it with sudo")
        if not (self.layout.root / "run/systemd/system").is_dir():
            raise HostError("systemd does not run this host: start `sampan master` and `sampan agent` by other means")
        if not self.system.succeeds(release.python(), "-c", "import venv"):
            raise HostError("Python's venv module is missing: apt-get install python3-venv")

    def _require_same_release(self, recorder: Recorder, source: Source) -> None:
        current = release.current(self.layout)
        if current and recorder.record.roles and release.name_of(source, self.layout) != current:
            raise HostError(f"release {current} is installed here, this is another: run `sampan upgrade` first")

    def _require_free(self, role: Role, recorder: Recorder) -> None:
        """Raise HostError, before anything is made, for a foreign file in a place of ours."""
        release.require_ours(self.layout)
        recorder.require_ours(self.layout.unit(role))
        recorder.require_ours(self.layout.command, self.layout.command_target)
        if role == "master":
            self._require_own_data(configured.state(role, self.layout))
        opt = self.layout.opt
        if recorder.fresh and opt.exists() and any(opt.iterdir()) and opt.stat().st_mode & 0o005 != 0o005:
            raise HostError(f"{opt} is closed to the user {USER}: run `chmod o+rx {opt}`, then this again")

    def _require_own_data(self, data_dir: Path) -> None:
        """The directory will belong to the master's user, with everything in it. Raises HostError."""
        names = {path.name for path in data_dir.iterdir()} - {_OF_FILE_SYSTEMS} if data_dir.is_dir() else set()
        if names and not names & _OF_A_MASTER:
            raise HostError(
                f"{data_dir} contains other things than a master's: name a directory of its own as data_dir in "
                f"{self.layout.config('master')}"
            )

    def _check_backups(self, options: backups.Given, recorder: Recorder) -> None:
        """Raise HostError before anything is made when there cannot be such backups."""
        recorder.require_ours(self.layout.backup_config)
        chosen = backups.chosen(self.layout, options)
        if chosen is None:
            return
        for name in BACKUP_UNITS:
            recorder.require_ours(self.layout.units / name)
        if not self.system.succeeds("systemd-analyze", "calendar", chosen.at):
            raise WrongUse(
                f"--backup-at: {chosen.at!r} is not a time as systemd.time(7) has it, such as daily or 03:30"
            )

    def _place(
        self, role: Role, source: Source | None, text: str, recorder: Recorder, backup_options: backups.Given
    ) -> None:
        recorder.keep(recorder.record)
        with self.step("release"):
            name = release.make(source, recorder, self.system) if source else recorder.record.release
        with self.step("files"):
            self._make_user(role, recorder)
            recorder.directory(self.layout.etc)
            if text:
                recorder.file(self.layout.config(role), text, mode=0o644)
            self._make_state(role, recorder)
            if role == "master":
                self._place_backups(backup_options, recorder)
            needed = host_files.of_release(self.layout, self.system, name, [role])
            host_files.require_ours(needed, recorder)
            if role == "master":
                self._drop_backup_units(needed, recorder)
                if backup_options and self.layout.backup_config.exists() and not _has_timer(needed):
                    raise HostError(f"release {name} cannot make regular backups: upgrade first, or omit --backup-dir")
            release.switch(self.layout, name)
            recorder.directory(self.layout.command.parent)
            recorder.link(self.layout.command, self.layout.command_target)
            for line in host_files.write(needed, self.system, recorder):
                self.say(line)
            recorder.keep(replace(recorder.record.with_role(role), release=name))

    def _make_user(self, role: Role, recorder: Recorder) -> None:
        if role == "master" and not self.system.has_user(USER):
            recorder.keep(replace(recorder.record, user_made=True))
            home = self.layout.seen(self.layout.var)
            self.system.run(
                "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell",
                "/usr/sbin/nologin", USER,
            )  # fmt: skip

    def _make_state(self, role: Role, recorder: Recorder) -> None:
        state = configured.state(role, self.layout)
        recorder.directory(state, mode=0o700)
        if role == "master":
            self.system.own(state, USER)

    def _place_backups(self, options: backups.Given, recorder: Recorder) -> None:
        """The settings of backups, and their directory. The release reads the settings for its units."""
        if options:
            chosen = backups.chosen(self.layout, options)
            if chosen is None:
                recorder.remove(self.layout.seen(self.layout.backup_config))
            else:
                recorder.file(self.layout.backup_config, backups.text_of(chosen), mode=0o644)
        if settings := backups.load(self.layout):
            directory = self.layout.real(str(settings.directory))
            recorder.directory(directory, mode=0o700)
            # While the directory is still root's, nobody else can put a link in its place.
            directory.chmod(0o700)
            self.system.own(directory, USER)

    def _drop_backup_units(self, needed: Sequence[HostFile], recorder: Recorder) -> None:
        """Remove those that are not needed any more."""
        units = {self.layout.seen(self.layout.units / name) for name in BACKUP_UNITS}
        units -= {file.path for file in needed}
        host_files.drop([path for path in recorder.record.files if path in units], self.system, recorder)

    def _undo(self) -> bool:
        """Remove everything of ours from a host that had nothing. False when something stays; the record says what."""
        from host.installation.uninstall import Uninstaller, remove_empty

        try:
            if self.layout.record.exists():
                Uninstaller(self.layout, self.system).uninstall(purge=True, force=True)
        except (HullError, OSError):
            return False
        remove_empty(self.layout.releases, self.layout.opt)
        return True


def _has_timer(needed: Sequence[HostFile]) -> bool:
    return any(file.path.endswith(f"/{BACKUP_UNITS[0]}") for file in needed)
