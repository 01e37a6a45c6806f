"""Files of the kernel as they were read on machines with cgroups of version 1 and 2, shortened."""

from __future__ import annotations

from pathlib import Path

SANDBOX, APP = "5" * 64, "a" * 64

MOUNTS_1 = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
32 31 0:29 / {point}/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / {point}/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / {point}/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / {point}/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / {point}/unified rw,relatime - cgroup2 cgroup2 rw
"""
MEMBER_1 = """\
9:name=systemd:/sampan/node1/{id}
8:pids:/sampan/node1/{id}
4:memory:/sampan/node1/{id}
2:cpu,cpuacct:/sampan/node1/{id}
0::/
"""
FILES_1 = {
    "cpu,cpuacct/cpuacct.usage": "7000000123\n",
    "cpu,cpuacct/cpuacct.usage_sys": "2000000000\n",
    "cpu,cpuacct/cpu.stat": "nr_periods 40\nnr_throttled 3\nthrottled_time 1500000000\n",
    "memory/memory.usage_in_bytes": "10485760\n",
    "memory/memory.stat": (
        "cache 1\nrss 2\ninactive_file 3\nhierarchical_memory_limit 9223372036854771712\ntotal_cache 6291456\n"
        "total_rss 4194304\ntotal_mapped_file 1048576\ntotal_swap 4096\ntotal_pgfault 900\ntotal_pgmajfault 9\n"
        "total_inactive_file 2097152\n"
    ),
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "pids/pids.current": "12\n",
}

MOUNTS_2 = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:26 / {point} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
"""
MEMBER_2 = "0::/system.slice/docker-{id}.scope\n"
FILES_2 = {
    "cpu.stat": (
        "usage_usec 7000000\nuser_usec 5000000\nsystem_usec 2000000\nnr_periods 40\nnr_throttled 3\n"
        "throttled_usec 1500000\n"
    ),
    "memory.current": "10485760\n",
    "memory.stat": (
        "anon 4194304\nfile 6291456\nfile_mapped 1048576\ninactive_file 2097152\npgfault 900\npgmajfault 9\n"
    ),
    "memory.swap.current": "4096\n",
    "memory.events": "low 0\nhigh 0\nmax 5\noom 2\noom_kill 2\n",
    "pids.current": "12\n",
}

PROC = {
    "stat": (
        "cpu  100 10 50 9000 40 5 15 7 20 0\ncpu0 50 5 25 4500 20 2 8 3 10 0\ncpu1 50 5 25 4500 20 3 7 4 10 0\n"
        "intr 1 2 3\nbtime 1700000000\nprocesses 12345\n"
    ),
    "meminfo": (
        "MemTotal:        1000 kB\nMemFree:          400 kB\nMemAvailable:     700 kB\nCached:           300 kB\n"
        "Inactive(file):   200 kB\nAnonPages:        150 kB\nMapped:            50 kB\nSwapTotal:        100 kB\n"
        "SwapFree:          90 kB\nHugePages_Total:    0\n"
    ),
    "vmstat": "nr_free_pages 100\npgfault 5000\npgmajfault 50\noom_kill 4\n",
    "loadavg": "0.50 0.40 0.30 2/345 6789\n",
    "sys/kernel/pid_max": "32768\n",
    "net/dev": (
        "Inter-|   Receive                            |  Transmit\n"
        " face |bytes    packets errs drop fifo frame  |bytes    packets errs drop fifo colls carrier compressed\n"
        "    lo:     100       1    0    0 0 0 0 0      100       1    0    0    0     0       0          0\n"
        "  eth0: 5000 50 1 2 0 0 0 0 7000 70 3 4 0 0 0 0\n"
        "sp0123:2000 20 0 0 0 0 0 0 3000 30 0 5 0 0 0 0\n"
    ),
    "net/route": (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    ),
}


def write(directory: Path, files: dict[str, str]) -> None:
    """Make the files below the directory."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


class Kernel:
    """A /proc and a file system of cgroups as plain files."""

    def __init__(self, directory: Path, version: int) -> None:
        self.proc, self.point, self.version = directory / "proc", directory / "cgroup", version
        mounts = MOUNTS_1 if version == 1 else MOUNTS_2
        write(self.proc, {**PROC, "self/mountinfo": mounts.format(point=self.point)})

    def directories(self, container: str) -> list[Path]:
        """The directories of a container's cgroups."""
        if self.version == 2:
            return [self.point / "system.slice" / f"docker-{container}.scope"]
        return [self.point / name / "sampan/node1" / container for name in ("cpu,cpuacct", "memory", "pids")]

    def start(self, container: str, pid: int = 0) -> None:
        """Make the cgroups of a container; with a pid, a process in them."""
        if self.version == 2:
            write(self.directories(container)[0], FILES_2)
        for directory in self.directories(container) if self.version == 1 else []:
            controllers = directory.parents[2].name
            own = {name.split("/")[1]: text for name, text in FILES_1.items() if name.startswith(f"{controllers}/")}
            write(directory, own)
        if pid:
            member = MEMBER_1 if self.version == 1 else MEMBER_2
            write(self.proc, {f"{pid}/cgroup": member.format(id=container)})
            for directory in self.directories(container):
                write(directory, {"cgroup.procs": f"{pid}\n{pid + 1}\n"})

    def end(self, container: str) -> None:
        """Remove the cgroups of a container."""
        for directory in self.directories(container):
            for file in directory.iterdir():
                file.unlink()
            directory.rmdir()

    def set_cpu(self, container: str, nanoseconds: int) -> None:
        """Let the container have used that much processor time."""
        if self.version == 2:
            write(self.directories(container)[0], {"cpu.stat": f"usage_usec {nanoseconds // 1000}\n"})
        else:
            write(self.directories(container)[0], {"cpuacct.usage": f"{nanoseconds}\n"})
