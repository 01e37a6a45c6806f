"""Changes the release of an installed host, and goes back when the new one does not start, or does not stay up.

The new release is made beside the old one, which is kept for a rollback. An agent that stops leaves containers and
connections alone, so pods do not notice.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import NoReturn

from host import files, host_files, release
from host.errors import HostError, NotInstalled, ServiceFailed, one_line
from host.host_files import HostFile
from host.installation.install import Installer
from host.layout import HostLayout, Role
from host.record import Recorder
from host.services import running
from host.services.running import Condition
from host.source import Source
from host.system import System

Step = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Upgrader:
    """Upgrades one host."""

    layout: HostLayout
    system: System
    step: Step = field(default=lambda _: nullcontext())
    say: Callable[[str], None] = field(default=lambda _: None)

    @files.usual_umask()
    def upgrade(self, source: Source) -> str:
        """Run the source's release instead; its name. Raises HostError when it does not start; then the old one runs.

        After an interruption, the same command restarts services that still run the old release.
        """
        Installer(self.layout, self.system).require()
        recorder = self._installed()
        with self.step("release"):
            name = release.make(source, recorder, self.system)
        self._change(recorder, name)
        release.forget_all_but(recorder, name, recorder.record.previous)
        return name

    def upgrade_other(self, source: Source) -> None:
        """Upgrade where another release than the source's is installed, or an upgrade was interrupted.

        Does nothing on a host without any release.
        """
        installed = Recorder(self.layout).record
        if installed.roles and (installed.target or release.name_of(source, self.layout) != installed.release):
            self.upgrade(source)

    @files.usual_umask()
    def roll_back(self) -> str:
        """Run the release from before the last upgrade again, or before an interrupted one. Raises HostError."""
        Installer(self.layout, self.system).require()
        recorder = self._installed()
        name = recorder.record.release if recorder.record.target else recorder.record.previous
        if not release.is_complete(self.layout, name):
            raise HostError("there is no release to go back to: nothing was upgraded here")
        self._change(recorder, name)
        return name

    def _installed(self) -> Recorder:
        recorder = Recorder(self.layout)
        if not recorder.record.roles:
            raise NotInstalled("nothing is installed here: run `sampan install master` or `sampan install agent`")
        return recorder

    def _change(self, recorder: Recorder, name: str) -> None:
        """Run another release; when anything goes wrong, the last one that ran."""
        good = recorder.record.release
        # Asked first: when a release cannot answer, or a foreign file is in the way, nothing has changed.
        needed = self._needed(recorder, name)
        host_files.require_ours(needed, recorder)
        conditions = self._conditions(recorder)
        up = tuple(role for role, condition in conditions.items() if condition == "up")
        recorder.keep(replace(recorder.record, target=name, ran=up))
        try:
            self._run(recorder, name, needed, conditions)
        except Exception as error:
            if name != good:
                self._take_back(recorder, conditions, error)
            if not isinstance(error, ServiceFailed):
                raise
            # The release is the last good one, completely installed; the service fails for another reason.
            recorder.keep(replace(recorder.record, target="", ran=()))
            raise HostError(f"release {good} is installed again, but {error}") from error
        # A rollback exchanges the two, so that another one undoes it.
        previous = recorder.record.previous if name == good else good
        recorder.keep(replace(recorder.record, release=name, previous=previous, target="", ran=()))

    def _conditions(self, recorder: Recorder) -> Mapping[Role, Condition]:
        """Those of the services that are to be restarted. Raises HostError."""
        record = recorder.record
        conditions = {role: running.condition(self.system, role, ran=role in record.ran) for role in record.roles}
        return {role: condition for role, condition in conditions.items() if condition != "stopped"}

    def _take_back(self, recorder: Recorder, conditions: Mapping[Role, Condition], error: Exception) -> NoReturn:
        """Run the last good release again. Raises HostError with the cause and the release that runs now.

        `target` stays in the record until a release runs.
        """
        good = recorder.record.release
        try:
            self._run(recorder, good, self._needed(recorder, good), conditions)
        except Exception as second:
            raise HostError(
                f"{one_line(error)}; release {good} does not run again either: {one_line(second)}; "
                "correct that, then run this again"
            ) from second
        recorder.keep(replace(recorder.record, target="", ran=()))
        raise HostError(f"{one_line(error)}; release {good} runs again") from error

    def _needed(self, recorder: Recorder, name: str) -> Sequence[HostFile]:
        return host_files.of_release(self.layout, self.system, name, recorder.record.roles)

    def _run(
        self, recorder: Recorder, name: str, needed: Sequence[HostFile], conditions: Mapping[Role, Condition]
    ) -> None:
        """Switch to the release, restart the services, and see them stay up. The same when it is the current one."""
        with self.step("switch"):
            release.switch(self.layout, name)
            remarks = host_files.drop_all_but(needed, self.system, recorder)
            for line in (*remarks, *host_files.write(needed, self.system, recorder)):
                self.say(line)
        up = [role for role, condition in conditions.items() if condition == "up"]
        # There is no release to fall back to from the last good one: when one service fails with it, the others must
        # not go on with the release that was tried.
        self._restart(up, all_of_them=name == recorder.record.release)
        running.require_lasting(self.system, up)
        for role in (role for role, condition in conditions.items() if condition == "failing"):
            try:
                self._restart([role], all_of_them=True)
            except ServiceFailed as error:
                self.say(f"{error}; it failed before this as well")

    def _restart(self, roles: Sequence[Role], *, all_of_them: bool) -> None:
        """Raises the first ServiceFailed, at once or, with `all_of_them`, after all have been restarted."""
        failures: list[ServiceFailed] = []
        for role in roles:
            try:
                with self.step(role):
                    running.start(self.system, role, again=True)
            except ServiceFailed as error:
                failures.append(error)
                if not all_of_them:
                    break
        if failures:
            raise failures[0]
