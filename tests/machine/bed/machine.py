"""A machine that is a container: run commands there, switch it off and on.

The machine needs no server for this: its engine switches it off and on, and commands are started in its namespaces
(inside.py). Files are written by commands, because `docker cp` would write below the machine's mounts.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from hull import processes
from hull.errors import StartFailed
from lab.errors import LabError
from tests.machine.bed import inside
from tests.machine.bed.docker import Docker
from tests.machine.bed.host import UP, Host
from tests.machine.bed.inside import Inside

BOOT_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Machine(Host):
    """A machine of a bed. Its `address` never changes."""

    name: str
    address: IPv4Address
    docker: Docker
    _boot: Inside | None = field(default=None, init=False, repr=False, compare=False)
    """The last command ran in this boot."""

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        boot = self._inside() if user == "root" else None
        if boot is None:
            extra = [f"--env={name}={value}" for name, value in environment.items()]
            words = ("exec", "-i", "--user", user, *extra, self.name, *argv)
            return self.docker.run(*words, input=input, timeout_s=timeout_s)
        try:
            done = subprocess.run(
                boot.argv(argv), input=input, capture_output=True, check=False, timeout=timeout_s,
                env=boot.environment(environment), cwd="/",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"{self.name}: {' '.join(argv[:4])}: {error}") from error
        # As docker reports a command that a signal ended.
        done.returncode = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return done

    def _inside(self) -> Inside | None:
        """How commands are started on it; None while it is off."""
        if self._boot is None or not self._boot.is_alive:
            pid = self.docker.run(
                "inspect", "--format", "{{.State.Pid}} {{.Config.Hostname}}", self.name
            ).stdout.split()
            self._boot = inside.of(int(pid[0]), hostname=pid[1].decode()) if pid else None
        return self._boot

    def start_process(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a command; the caller reads its output and waits for it."""
        return subprocess.Popen(
            self.docker.argv("exec", "-i", self.name, *argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.docker.environment,
        )

    def start(self) -> None:
        """Switch it on, and wait until it has booted."""
        self.docker.must("start", self.name)
        self.wait_running()

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Shut it down cleanly; its disk stays."""
        self.docker.must("stop", "--time", f"{timeout_s:.0f}", self.name, timeout_s=timeout_s + 30)

    def cut_power(self) -> None:
        """End all its processes at once; its disk stays."""
        self.docker.must("kill", self.name)
        self.docker.must("wait", self.name)

    def reboot(self) -> None:
        """Shut it down cleanly and boot it again."""
        self.stop()
        self.start()

    @property
    def is_on(self) -> bool:
        if self._boot is not None and self._boot.is_alive:
            return True
        return self.docker.must("inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def wait_running(self, *, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Wait until systemd has finished the boot; the caller must check for failed units. Raises StartFailed."""
        state = ""
        for left in processes.until(timeout_s, 0.05):
            result = self.run("systemctl", "is-system-running", "--wait", check=False, timeout_s=left + 5)
            state = result.stdout.strip()
            if state in UP:
                return
            if not self.is_on:
                raise StartFailed(f"machine {self.name} switched itself off during its boot: {self._last_output()}")
        raise StartFailed(
            f"machine {self.name} has not booted after {timeout_s:.0f} s ({state or 'no answer of systemd'})"
        )

    def _last_output(self) -> str:
        return self.docker.run("logs", "--tail", "3", self.name).stderr.decode(errors="replace").strip()
