"""Starts commands on a machine without its engine: in the namespaces and control groups of the machine's first process.

A `docker exec` does the same by way of four daemons, and costs 70 ms of processor time; this costs 5 ms. The tests run
several hundred commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hull import processes, sweep
from hull.processes import ProcessRecord

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_SYSTEMD: Final = "/init.scope"
_NAMESPACES: Final = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
_JOIN: Final = f"""\
umask 022
unset PWD
while [ "$1" != -- ]; do
    # With cgroup v2, a group that has groups below it takes no processes.
    echo 0 2>/dev/null > "$1/cgroup.procs" || echo 0 > "$1{_OF_SYSTEMD}/cgroup.procs"
    shift
done
shift
exec "$@"
"""
"""Joins the control groups before `--`, then runs the command after it."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What the commands of one boot of a machine have in common with its first process."""

    first: ProcessRecord
    hostname: str
    cgroups: tuple[str, ...]
    """The machine's own control group, in each hierarchy."""
    capabilities: int
    """The bounding set, as a mask."""

    @property
    def is_alive(self) -> bool:
        """Whether the machine has been on since then."""
        return processes.record_of(self.first.pid) == self.first

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs the command there as root, in a session of its own and with no signal ignored."""
        kept = [f"+cap_{number}" for number in range(self.capabilities.bit_length()) if self.capabilities >> number & 1]
        return [
            "env", "--default-signal", "sh", "-c", _JOIN, "sh", *self.cgroups, "--",
            "nsenter", f"--target={self.first.pid}", *_NAMESPACES, "--",
            "setsid", "setpriv", f"--bounding-set={','.join(['-all', *kept])}", *command,
        ]  # fmt: skip

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What `docker exec` sets, and `more`."""
        return {"PATH": _PATH, "HOSTNAME": self.hostname, "HOME": "/root", **more}


def of(pid: int, *, hostname: str) -> Inside | None:
    """For the machine whose first process this is; None if it has just ended."""
    first = processes.record_of(pid)
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    if first is None:
        return None
    paths = {line.split(":", 2)[2].removesuffix(_OF_SYSTEMD) for line in groups}
    cgroups = sorted({str(each) for path in paths for each in sweep.cgroup_directories(path)})
    (bounding,) = (line.split()[1] for line in status if line.startswith("CapBnd:"))
    return Inside(first, hostname, tuple(cgroups), int(bounding, 16))
