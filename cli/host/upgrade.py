"""Changes the release of an installed host, and goes back when the new one does not start.

The new release is made beside the old one, which is kept as the way back. Agents leave containers and connections
alone when they stop, so pods do not notice.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from cli.host import files, install, release, snippets
from cli.host.errors import HostError, NotInstalled
from cli.host.install import Installer
from cli.host.layout import HostLayout
from cli.host.record import Recorder
from cli.host.source import Source
from cli.host.system import System

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
        """Run the source's release instead; its name. Raises HostError when it does not start: the old one runs then.

        Run again after an interruption, it restarts what still runs the old release.
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

        A host without any is left as it is.
        """
        installed = Recorder(self.layout).record
        if installed.roles and (installed.unfinished or release.name_of(source, self.layout) != installed.release):
            self.upgrade(source)

    @files.usual_umask()
    def roll_back(self) -> str:
        """Run the release from before the last upgrade again; its name. Raises HostError."""
        Installer(self.layout, self.system).require()
        recorder = self._installed()
        name = recorder.record.previous
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
        before = recorder.record
        if name != before.release:
            # `release` and `previous` change places when somebody goes back: there is one way back, and one on.
            recorder.keep(replace(before, release=name, previous=before.release, unfinished=True))
        try:
            self._run(recorder, name)
        except HostError as error:
            if name == before.release:
                raise
            self._run(recorder, before.release)
            recorder.keep(replace(before, unfinished=False))
            raise HostError(f"{error}; release {before.release} runs again") from error
        recorder.keep(replace(recorder.record, unfinished=False))

    def _run(self, recorder: Recorder, name: str) -> None:
        """Switch, and restart what runs: an interrupted command may have switched only."""
        with self.step("switch"):
            release.switch(self.layout, name)
            for role in recorder.record.roles:
                install.write_unit(role, self.layout, self.system, recorder)
            if "agent" in recorder.record.roles:
                for line in snippets.write(self.layout, self.system, recorder):
                    self.say(line)
        for role in recorder.record.roles:
            if install.runs(self.system, role):
                with self.step(role):
                    install.start_unit(self.system, role, verb="restart")
