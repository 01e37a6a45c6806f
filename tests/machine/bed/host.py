"""The interface of a machine that boots systemd, whether it is a container or a virtual machine: running commands."""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Final

from lab.errors import LabError

UP: Final = ("running", "degraded")
"""The output of `systemctl is-system-running` after a boot; the caller must check for failed units."""


class CommandFailed(LabError):
    """A command on a machine ended with an error; the message has its output."""


class Host(ABC):
    """A machine. Its `address` never changes."""

    __slots__ = ()

    name: str
    address: IPv4Address

    @abstractmethod
    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end. Raises LabError if the machine cannot be reached."""

    @property
    @abstractmethod
    def is_on(self) -> bool:
        """Whether it is switched on."""

    def run(
        self,
        *argv: str,
        input: bytes | str = b"",
        timeout_s: float = 60.0,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        user: str = "root",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Raises CommandFailed if `check` and it fails."""
        text = input.encode() if isinstance(input, str) else input
        completed = self.call(argv, input=text, timeout_s=timeout_s, environment=environment or {}, user=user)
        result = subprocess.CompletedProcess(
            list(argv),
            completed.returncode,
            completed.stdout.decode(errors="replace"),
            completed.stderr.decode(errors="replace"),
        )
        if check and result.returncode != 0:
            raise CommandFailed(
                f"{self.name}: {' '.join(argv)} ended with {result.returncode}: "
                f"{(result.stderr + result.stdout).strip()[-2000:]}"
            )
        return result

    def output(self, *argv: str, timeout_s: float = 60.0) -> str:
        """The output of a command, without the final newline. Raises CommandFailed."""
        return self.run(*argv, timeout_s=timeout_s).stdout.rstrip("\n")

    def shell(self, script: str, *, timeout_s: float = 60.0, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a script by the machine's shell; otherwise as `run`."""
        return self.run("sh", "-c", script, timeout_s=timeout_s, check=check)

    def put(self, source: Path, target: str, *, mode: int = 0o644) -> None:
        """Copy a file to the machine; makes its directory."""
        self.write(target, source.read_bytes(), mode=mode)

    def write(self, target: str, content: bytes | str, *, mode: int = 0o644) -> None:
        """Write a file on the machine; makes its directory."""
        script = 'mkdir -p "$1" && cat > "$2" && chmod "$3" "$2"'
        self.run("sh", "-c", script, "sh", str(PurePosixPath(target).parent), target, f"{mode:o}", input=content)

    def exists(self, path: str) -> bool:
        """Whether the path exists on the machine."""
        return self.run("test", "-e", path, check=False).returncode == 0

    def journal(self, unit: str, *, lines: int = 60) -> str:
        """The last lines of a unit's journal."""
        return self.run("journalctl", "--no-pager", "-n", str(lines), "-u", unit, check=False).stdout
