"""A virtual machine: its QEMU process, which is its power, and running commands in it."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from hull import processes
from hull.errors import StartFailed
from hull.processes import ProcessRecord
from lab.environment import clean_environment
from netstack import changes as c
from netstack.network import open_network
from tests.machine.bed.host import UP, Host
from tests.vm.bed import qemu
from tests.vm.bed.qemu import Hardware
from tests.vm.bed.ssh import Ssh, Unreachable

BOOT_TIMEOUT_S: Final = 900.0
"""A boot takes a minute on a free core; four minutes were measured on a busy machine."""
SLOWNESS: Final = 10
"""How much longer than on a real machine a command may take, as other machines share the core."""
_CONNECT_S: Final = 20.0
_POLL_S: Final = 0.5
_START_S: Final = 20.0
_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"


class VirtualMachine(Host):
    """A machine of a bed. Its `address` never changes."""

    def __init__(self, hardware: Hardware, ssh: Ssh, *, bridge: str) -> None:
        self.name = hardware.name
        self.address = hardware.address
        self._hardware = hardware
        self._ssh = ssh
        self._bridge = bridge
        self._qemu: ProcessRecord | None = None
        self._connection: ProcessRecord | None = None

    @property
    def is_on(self) -> bool:
        return self._qemu is not None and processes.alive(self._qemu)

    @property
    def console(self) -> Path:
        """The log of its serial console, over all boots."""
        return self._ssh.directory / f"{self.name}.console"

    def start(self) -> None:
        """Switch it on; `wait_running` waits for its boot. Raises StartFailed."""
        log = self._ssh.directory / f"{self.name}.qemu.log"
        started = processes.start(
            qemu.command(self._hardware, self.console), log=log, env=clean_environment(), netns=self._ssh.netns
        )
        self._qemu = started
        with open_network(self._ssh.netns.name) as network:
            # QEMU makes the link, and the kernel removes it when QEMU ends.
            for _ in processes.until(_START_S):
                if not processes.alive(started):
                    raise StartFailed(f"QEMU ended at once{processes.tail(log)}")
                if network.link(self._hardware.tap) is not None:
                    network.change([c.SetLink(self._hardware.tap, master=self._bridge, up=True)])
                    return
        raise StartFailed(f"QEMU did not make the link {self._hardware.tap}{processes.tail(log)}")

    def wait_running(self, *, timeout_s: float = BOOT_TIMEOUT_S, after: str = "") -> None:
        """Wait until systemd has finished the boot; `after`: the id of an earlier boot, which does not count."""
        ends_at, state = time.monotonic() + timeout_s, "no answer"
        while (left := ends_at - time.monotonic()) > 0:
            if not self.is_on:
                raise StartFailed(f"{self.name} switched itself off during its boot{processes.tail(self.console)}")
            try:
                self._connect()
                if self.boot_id() != after:
                    state = self._state(left)
                    if state in UP:
                        return
            except Unreachable as error:
                state = str(error)
            self._disconnect()
            time.sleep(_POLL_S)
        raise StartFailed(f"{self.name} has not booted after {timeout_s:.0f} s: {state}{processes.tail(self.console)}")

    def boot_id(self) -> str:
        """The kernel's id of the present boot."""
        return self.output("cat", _BOOT_ID)

    def cut_power(self) -> None:
        """End it at once; its disk stays as it is."""
        if self._qemu is not None:
            processes.kill(self._qemu)
        self._disconnect()

    def reboot(self, *, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Reboot cleanly by its own systemd; returns when it has booted again."""
        before = self.boot_id()
        with suppress(Unreachable):  # the connection may break before the command ends
            self.run("systemctl", "reboot")
        self._disconnect()
        self.wait_running(timeout_s=timeout_s, after=before)

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        """`timeout_s`: the time-out for a real machine."""
        self._connect()
        return self._ssh.call(argv, input=input, timeout_s=timeout_s * SLOWNESS, environment=environment, user=user)

    def _state(self, timeout_s: float) -> str:
        """The state of systemd after the boot."""
        argv = ("systemctl", "is-system-running", "--wait")
        result = self._ssh.call(argv, input=b"", timeout_s=timeout_s, environment={}, user="root")
        return (result.stdout or result.stderr).decode(errors="replace").strip()

    def _connect(self) -> None:
        if self._connection is None or not processes.alive(self._connection):
            self._connection = self._ssh.connect(_CONNECT_S)

    def _disconnect(self) -> None:
        if self._connection is not None:
            processes.kill(self._connection)
            self._connection = None
