"""Commands on a virtual machine by ssh: one connection for all of them, as opening one takes the machine a second."""

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
    # Every machine of an image has the same host key, and nobody else is on the wire.
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
)
_BROKEN: Final = 255
"""What ssh itself ends with when it could not speak to the machine."""


class Unreachable(LabError):
    """The machine does not answer, or the connection broke."""


def make_key(directory: Path) -> Path:
    """A key pair for one run; the private half's path. Raises LabError."""
    key = directory / "key"
    done = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sampan", "-f", str(key)],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"ssh-keygen: {done.stderr.strip()}")
    return key


@dataclass(frozen=True, slots=True)
class Ssh:
    """How to reach one machine. `directory` takes the connection's socket and log."""

    name: str
    address: IPv4Address
    netns: Path
    key: Path
    directory: Path

    @property
    def socket(self) -> Path:
        return self.directory / f"{self.name}.ssh"

    def connect(self, timeout_s: float) -> ProcessRecord:
        """The process that holds the connection. Raises Unreachable."""
        self.socket.unlink(missing_ok=True)
        wait = f"ConnectTimeout={max(1, int(timeout_s))}"
        alive = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6")
        argv = ["ssh", *_OPTIONS, "-o", wait, *alive, "-i", str(self.key), "-MNS", str(self.socket), self._who]
        held = processes.start(
            argv, log=self.directory / f"{self.name}.ssh.log", env=clean_environment(), netns=self.netns
        )
        for _ in processes.until(timeout_s):
            if self.socket.exists():
                return held
            if not processes.alive(held):
                raise Unreachable(f"{self.name} at {self.address} cannot be reached{self._said}")
        processes.kill(held)
        raise Unreachable(f"{self.name} at {self.address} does not answer within {timeout_s:.0f} s{self._said}")

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end. Raises Unreachable when the connection is not there, or breaks."""
        switch = () if user == "root" else ("runuser", "-u", user, "--")
        settings = ("env", *(f"{name}={value}" for name, value in environment.items())) if environment else ()
        words = shlex.join([*switch, *settings, *argv])
        # `ProxyCommand`: without the socket, nothing is opened in its place.
        ssh = ["ssh", *_OPTIONS, "-o", "ProxyCommand=false", "-S", str(self.socket), self._who, words]
        try:
            done = subprocess.run(
                ssh, input=input, capture_output=True, check=False, timeout=timeout_s, env=clean_environment()
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"{self.name}: {' '.join(argv)[:200]} did not end within {timeout_s:.0f} s") from error
        if done.returncode == _BROKEN:
            raise Unreachable(f"{self.name}: {done.stderr.decode(errors='replace').strip()[-300:]}")
        return done

    @property
    def _who(self) -> str:
        return f"root@{self.address}"

    @property
    def _said(self) -> str:
        return processes.tail(self.directory / f"{self.name}.ssh.log")
