"""One machine that is a container: run commands there, switch it off and on.

Everything goes through the bed's engine; nothing has to run on the machine for that. (`docker cp` would write below
what is mounted: files are put there by a command.)
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
    """A machine of a bed. `address` stays its own, whatever happens to it."""

    name: str
    address: IPv4Address
    docker: Docker

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        extra = [f"--env={name}={value}" for name, value in environment.items()]
        return self.docker.run("exec", "-i", "--user", user, *extra, self.name, *argv, input=input, timeout_s=timeout_s)

    def start_process(self, *argv: str) -> subprocess.Popen[bytes]:
        """Run a command beside the caller, who talks to it and waits for it."""
        return subprocess.Popen(
            self.docker.argv("exec", "-i", self.name, *argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.docker.environment,
        )

    def start(self) -> None:
        """Switch it on, and wait until it is up."""
        self.docker.must("start", self.name)
        self.wait_running()

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Shut it down in order; its disk stays."""
        self.docker.must("stop", "--time", f"{timeout_s:.0f}", self.name, timeout_s=timeout_s + 30)

    def cut_power(self) -> None:
        """Everything on it ends at once; its disk stays."""
        self.docker.must("kill", self.name)
        self.docker.must("wait", self.name)

    def reboot(self) -> None:
        self.stop()
        self.start()

    @property
    def is_on(self) -> bool:
        return self.docker.must("inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def wait_running(self, *, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Wait until systemd says that the boot is finished; a failed unit of its own is the caller's business."""
        state = ""
        for left in processes.until(timeout_s, 0.05):
            done = self.run("systemctl", "is-system-running", "--wait", check=False, timeout_s=left + 5)
            state = done.stdout.strip()
            if state in UP:
                return
            if not self.is_on:
                raise StartFailed(f"machine {self.name} went off while it booted: {self._last_words()}")
        raise StartFailed(f"machine {self.name} is not up after {timeout_s:.0f} s ({state or 'systemd is silent'})")

    def _last_words(self) -> str:
        return self.docker.run("logs", "--tail", "3", self.name).stderr.decode(errors="replace").strip()
