"""What this machine uses: the texts of /proc as a Machine. Pure but for `MachineFiles`.

The memory of the machine is shown as a cgroup's: used is all that is not free, and the working set leaves out cached
file contents that were not used lately, as the kubelet computes it for the root cgroup.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from agent.usage.cgroups import counters
from agent.usage.figures import NANO, Cgroup, Machine
from agent.usage.links import default_link, traffic

_BUSY: Final = (0, 1, 2, 5, 6)
"""Columns of /proc/stat: user, nice, system, irq, softirq. Guests are in user; what a hypervisor took is not ours."""
_FILES: Final = ("stat", "meminfo", "vmstat", "loadavg", "sys/kernel/pid_max", "net/dev", "net/route")


class MachineFiles:
    """The files of /proc about the whole machine. Its calls block for a few milliseconds at most."""

    def __init__(self, wall: Callable[[], float], *, proc: Path = Path("/proc")) -> None:
        self._wall = wall
        self._proc = proc

    def read(self) -> Machine:
        """The machine now, without its disks. Raises OSError."""
        texts = {name: (self._proc / name).read_bytes() for name in _FILES if (self._proc / name).exists()}
        return machine(texts, at=self._wall(), ticks=os.sysconf("SC_CLK_TCK"))


def machine(texts: Mapping[str, bytes], *, at: float, ticks: int) -> Machine:
    """The machine by the texts of /proc, by name. `ticks`: units of processor time in a second."""
    stat, meminfo = texts.get("stat", b""), _meminfo(texts.get("meminfo", b""))
    total = meminfo.get("MemTotal", 0)
    return Machine(
        at=at,
        booted_at=counters(stat).get("btime", 0),
        cores=sum(line[:3] == b"cpu" and line[3:4].isdigit() for line in stat.splitlines()),
        cpu_ns=_busy(stat) * NANO // ticks,
        memory_total_bytes=total,
        memory=_memory(meminfo, counters(texts.get("vmstat", b""))),
        swap_total_bytes=meminfo.get("SwapTotal", 0),
        processes=_processes(texts.get("loadavg", b"")),
        max_processes=int(texts.get("sys/kernel/pid_max", b"0")),
        links=traffic(texts.get("net/dev", b"")),
        default_link=default_link(texts.get("net/route", b"")),
    )


def _memory(meminfo: Mapping[str, int], vmstat: Mapping[str, int]) -> Cgroup:
    used = meminfo.get("MemTotal", 0) - meminfo.get("MemFree", 0)
    return Cgroup(
        memory_bytes=used,
        working_set_bytes=max(0, used - meminfo.get("Inactive(file)", 0)),
        rss_bytes=meminfo.get("AnonPages", 0),
        cache_bytes=meminfo.get("Cached", 0),
        mapped_bytes=meminfo.get("Mapped", 0),
        swap_bytes=meminfo.get("SwapTotal", 0) - meminfo.get("SwapFree", 0),
        faults=vmstat.get("pgfault", 0),
        major_faults=vmstat.get("pgmajfault", 0),
        oom_kills=vmstat.get("oom_kill", 0),
    )


def _busy(stat: bytes) -> int:
    """Ticks in which any processor worked."""
    columns = stat.split(b"\n", 1)[0].split()[1:]
    return sum(int(columns[index]) for index in _BUSY if index < len(columns))


def _meminfo(text: bytes) -> dict[str, int]:
    """Bytes by name; the lines are `NAME: NUMBER kB`."""
    pairs = (line.split(b":", 1) for line in text.splitlines())
    return {
        pair[0].decode(): int(pair[1].split()[0]) * 1024 for pair in pairs if len(pair) == 2 and pair[1].endswith(b"kB")
    }


def _processes(loadavg: bytes) -> int:
    """The number behind the slash: `0.00 0.01 0.05 1/123 4567`."""
    fields = loadavg.split()
    return int(fields[3].split(b"/")[1]) if len(fields) > 3 else 0
