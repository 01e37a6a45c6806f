"""A machine that is a container: run commands there, switch it off and on.

Everything goes through the bed's engine, so the machine needs no server for it. Files are written by commands, because
`docker cp` would write below the machine's mounts.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from hull import processes
from hull.errors import StartFailed
from tests.machine.bed.docker import Docker
from tests.machine.bed.host import UP, Host

BOOT_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Machine(Host):
    """A machine of a bed. Its `address` never changes."""

    name: str
    address: IPv4Address
    docker: Docker

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        extra = [f"--env={name}={value}" for name, value in environment.items()]
        return self.docker.run("exec", "-i", "--user", user, *extra, self.name, *argv, input=input, timeout_s=timeout_s)

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
