"""Runs commands on a virtual machine by ssh, all over one connection, as opening one takes the machine a second."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from hull import processes
from hull.processes import ProcessRecord
from lab.environment import clean_environment
from lab.errors import LabError

_OPTIONS: Final = (
    *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
    # All machines of an image have the same host key, and no other machine is on the bridge.
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
)
_BROKEN: Final = 255
"""The exit code of ssh itself if it cannot reach the machine."""


class Unreachable(LabError):
    """The machine does not answer, or the connection broke."""


def make_key(directory: Path) -> Path:
    """Make a key pair for one run; the path of the private key. Raises LabError."""
    key = directory / "key"
    result = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sampan", "-f", str(key)],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    if result.returncode != 0:
        raise LabError(f"ssh-keygen: {result.stderr.strip()}")
    return key


@dataclass(frozen=True, slots=True)
class Ssh:
    """Access to one machine. `directory`: for the socket and the log of the connection."""

    name: str
    address: IPv4Address
    netns: Path
    key: Path
    directory: Path

    @property
    def socket(self) -> Path:
        """The control socket of the connection."""
        return self.directory / f"{self.name}.ssh"

    def connect(self, timeout_s: float) -> ProcessRecord:
        """Open the connection; the process that holds it. Raises Unreachable."""
        self.socket.unlink(missing_ok=True)
        timeout = f"ConnectTimeout={max(1, int(timeout_s))}"
        alive = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6")
        argv = ["ssh", *_OPTIONS, "-o", timeout, *alive, "-i", str(self.key), "-MNS", str(self.socket), self._target]
        connection = processes.start(
            argv, log=self.directory / f"{self.name}.ssh.log", env=clean_environment(), netns=self.netns
        )
        for _ in processes.until(timeout_s):
            if self.socket.exists():
                return connection
            if not processes.alive(connection):
                raise Unreachable(f"{self.name} at {self.address} cannot be reached{self._log_tail}")
        processes.kill(connection)
        raise Unreachable(f"{self.name} at {self.address} does not answer within {timeout_s:.0f} s{self._log_tail}")

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end. Raises Unreachable if there is no connection, or it breaks."""
        switch = () if user == "root" else ("runuser", "-u", user, "--")
        settings = ("env", *(f"{name}={value}" for name, value in environment.items())) if environment else ()
        words = shlex.join([*switch, *settings, *argv])
        # `ProxyCommand`: if the socket is missing, ssh must not open a new connection.
        ssh = ["ssh", *_OPTIONS, "-o", "ProxyCommand=false", "-S", str(self.socket), self._target, words]
        try:
            result = subprocess.run(
                ssh, input=input, capture_output=True, check=False, timeout=timeout_s, env=clean_environment()
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"{self.name}: {' '.join(argv)[:200]} did not end within {timeout_s:.0f} s") from error
        if result.returncode == _BROKEN:
            raise Unreachable(f"{self.name}: {result.stderr.decode(errors='replace').strip()[-300:]}")
        return result

    @property
    def _target(self) -> str:
        return f"root@{self.address}"

    @property
    def _log_tail(self) -> str:
        return processes.tail(self.directory / f"{self.name}.ssh.log")
