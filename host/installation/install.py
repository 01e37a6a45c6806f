"""Installs a role on this host, step by step; each step finds what is done and does the rest.

Interrupted anywhere, the same command goes on. What fails on a host that had nothing of ours is undone. The units come
after everything that they start, so what looks installed is.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from host import config, files, host_files, release
from host.errors import HostError, WrongUse
from host.layout import USER, HostLayout, Role
from host.record import Recorder
from host.services import configured, running
from host.source import Source
from host.system import System
from hull.errors import HullError

Step = Callable[[str], AbstractContextManager[None]]
_OF_A_MASTER: Final = {"pki", "store.db", "lock", "restoring"}
"""In its data directory, one or the other from the first moment on (master/datadir.py)."""
_OF_FILE_SYSTEMS: Final = "lost+found"


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs on one host. `step` shows each step, `say` a remark."""

    layout: HostLayout
    system: System
    step: Step = field(default=lambda _: nullcontext())
    say: Callable[[str], None] = field(default=lambda _: None)

    @files.usual_umask()
    def install(self, role: Role, source: Source | None, settings: config.Settings, *, start: bool = True) -> None:
        """Install the role; the master starts, an agent waits for `sampan join`. Raises HostError.

        Without a source: the release that is here already, for another role, or for a changed configuration.
        """
        self.require()
        text = "" if self.layout.config(role).exists() else config.text_of(role, self.layout, settings)
        if not text and settings:
            self.say(f"{self.layout.config(role)} is there and stays as it is: the options for it have no effect")
        recorder = Recorder(self.layout)
        if recorder.record.target:
            raise HostError("an upgrade was cut short here: run it again, or `sampan upgrade --rollback`, before this")
        if source is not None:
            self._require_same_release(recorder, source)
        elif not release.is_complete(self.layout, recorder.record.release):
            raise WrongUse("this is no checkout, and nothing is installed: name a wheel or a bundle with --from")
        self._require_free(role, recorder)
        try:
            self._place(role, source, text, recorder)
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

    def require(self) -> None:
        """Raise HostError where installing cannot end well."""
        if not self.system.is_root():
            raise HostError("only root may change this host: run it with sudo")
        if not (self.layout.root / "run/systemd/system").is_dir():
            raise HostError("systemd does not run this host: start `sampan master` and `sampan agent` by other means")
        if not self.system.succeeds(release.python(), "-c", "import venv"):
            raise HostError("Python's venv module is missing: apt-get install python3-venv")

    def _require_same_release(self, recorder: Recorder, source: Source) -> None:
        running = release.current(self.layout)
        if running and recorder.record.roles and release.name_of(source, self.layout) != running:
            raise HostError(f"release {running} is installed here, this is another: run `sampan upgrade` first")

    def _require_free(self, role: Role, recorder: Recorder) -> None:
        """Raise HostError before anything is made, when somebody else's is in a place of ours."""
        release.require_ours(self.layout)
        recorder.require_ours(self.layout.unit(role))
        recorder.require_ours(self.layout.command, self.layout.command_target)
        if role == "master":
            self._require_own_data(configured.state(role, self.layout))
        opt = self.layout.opt
        if recorder.fresh and opt.exists() and any(opt.iterdir()) and opt.stat().st_mode & 0o005 != 0o005:
            raise HostError(f"{opt} is closed to the user {USER}: run `chmod o+rx {opt}`, then this again")

    def _require_own_data(self, data_dir: Path) -> None:
        """It becomes the master's user's, with all that is in it."""
        there = {path.name for path in data_dir.iterdir()} - {_OF_FILE_SYSTEMS} if data_dir.is_dir() else set()
        if there and not there & _OF_A_MASTER:
            raise HostError(
                f"{data_dir} has other things in it than a master's: name a directory of its own as data_dir in "
                f"{self.layout.config('master')}"
            )

    def _place(self, role: Role, source: Source | None, text: str, recorder: Recorder) -> None:
        recorder.keep(recorder.record)
        with self.step("release"):
            name = release.make(source, recorder, self.system) if source else recorder.record.release
        with self.step("files"):
            self._make_user(role, recorder)
            recorder.directory(self.layout.etc)
            if text:
                self._write_config(role, text, recorder)
            self._make_state(role, recorder)
            needed = host_files.of_release(self.layout, self.system, name, [role])
            host_files.require_ours(needed, recorder)
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

    def _write_config(self, role: Role, text: str, recorder: Recorder) -> None:
        recorder.file(self.layout.config(role), text, mode=0o644)

    def _undo(self) -> bool:
        """Nothing of ours was here: nothing of ours stays. False when something does; the record says what."""
        from host.installation.uninstall import Uninstaller, remove_empty

        try:
            if self.layout.record.exists():
                Uninstaller(self.layout, self.system).uninstall(purge=True, force=True)
        except (HullError, OSError):
            return False
        remove_empty(self.layout.releases, self.layout.opt)
        return True
