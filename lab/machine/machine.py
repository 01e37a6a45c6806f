"""One machine: run commands there, put files there, switch it off and on.

Everything goes through the bed's engine; nothing has to run on the machine for that.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Final

from lab import processes
from lab.errors import LabError, StartFailed
from lab.machine.docker import Docker

BOOT_TIMEOUT_S: Final = 60.0
_STATES: Final = ("running", "degraded")


class CommandFailed(LabError):
    """A command on a machine ended with an error; the message has its output."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of a bed. `address` stays its own, whatever happens to it."""

    name: str
    address: IPv4Address
    docker: Docker

    def run(
        self,
        *argv: str,
        input: bytes | str = b"",
        timeout_s: float = 60.0,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        user: str = "root",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Raises CommandFailed when it fails, unless `check` is off."""
        text = input.encode() if isinstance(input, str) else input
        extra = [f"--env={name}={value}" for name, value in (environment or {}).items()]
        done = self.docker.run("exec", "-i", "--user", user, *extra, self.name, *argv, input=text, timeout_s=timeout_s)
        result = subprocess.CompletedProcess(
            list(argv), done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )
        if check and result.returncode != 0:
            raise CommandFailed(
                f"{self.name}: {' '.join(argv)} ended with {result.returncode}: "
                f"{(result.stderr + result.stdout).strip()[-2000:]}"
            )
        return result

    def says(self, *argv: str, timeout_s: float = 60.0) -> str:
        """What a command prints, without the last line's end. Raises CommandFailed."""
        return self.run(*argv, timeout_s=timeout_s).stdout.rstrip("\n")

    def start_process(self, *argv: str) -> subprocess.Popen[bytes]:
        """Run a command beside the caller, who talks to it and waits for it."""
        return subprocess.Popen(
            self.docker.argv("exec", "-i", self.name, *argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.docker.environment,
        )

    def shell(self, script: str, *, timeout_s: float = 60.0, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("sh", "-c", script, timeout_s=timeout_s, check=check)

    def put(self, source: Path, target: str, *, mode: int = 0o644) -> None:
        """Copy a file there; its directory is made. (`docker cp` would write below what is mounted.)"""
        self.write(target, source.read_bytes(), mode=mode)

    def write(self, target: str, content: bytes | str, *, mode: int = 0o644) -> None:
        script = 'mkdir -p "$1" && cat > "$2" && chmod "$3" "$2"'
        self.run("sh", "-c", script, "sh", str(PurePosixPath(target).parent), target, f"{mode:o}", input=content)

    def exists(self, path: str) -> bool:
        return self.run("test", "-e", path, check=False).returncode == 0

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
            if state in _STATES:
                return
            if not self.is_on:
                raise StartFailed(f"machine {self.name} went off while it booted: {self._last_words()}")
        raise StartFailed(f"machine {self.name} is not up after {timeout_s:.0f} s ({state or 'systemd is silent'})")

    def journal(self, unit: str, *, lines: int = 60) -> str:
        """The last lines of a unit's journal."""
        return self.run("journalctl", "--no-pager", "-n", str(lines), "-u", unit, check=False).stdout

    def _last_words(self) -> str:
        return self.docker.run("logs", "--tail", "3", self.name).stderr.decode(errors="replace").strip()
