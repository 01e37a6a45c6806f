"""The kernel's files about cgroups, version 1 and 2: where a container's are, and what is in them.

Pure: texts in, values out; cgroupfiles.py reads. Sources: cgroups(7), proc(5), and the kernel's
Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.usage.figures import Cgroup
from hull.mounts import unescaped

UNIFIED: Final = ""
"""Stands for the controllers of version 2, which are all in one hierarchy."""

FILES: Final[Mapping[int, tuple[tuple[str, str], ...]]] = {
    1: (
        ("cpuacct", "cpuacct.usage"),
        ("cpuacct", "cpuacct.usage_sys"),
        ("cpu", "cpu.stat"),
        ("memory", "memory.usage_in_bytes"),
        ("memory", "memory.stat"),
        ("memory", "memory.oom_control"),
        ("pids", "pids.current"),
    ),
    2: (
        (UNIFIED, "cpu.stat"),
        (UNIFIED, "memory.current"),
        (UNIFIED, "memory.stat"),
        (UNIFIED, "memory.swap.current"),
        (UNIFIED, "memory.events"),
        (UNIFIED, "pids.current"),
    ),
}
"""Version → the controller and the name of each file to read."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where a hierarchy of cgroups is mounted, and which of its cgroups is there."""

    point: str
    root: str


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """The mounted hierarchies, by controller; that of version 2 by UNIFIED."""

    by_controller: Mapping[str, Hierarchy] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The version by which memory is accounted."""
        return 1 if "memory" in self.by_controller else 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one container are."""

    version: int
    container: str
    path: str
    """The path of its cgroup of memory."""
    directories: Mapping[str, str]
    """Controller → directory."""

    def sibling(self, container: str) -> Place:
        """The place of another container of the same pod: the same paths, but for the id."""
        moved = {key: value.replace(self.container, container) for key, value in self.directories.items()}
        return Place(self.version, container, self.path.replace(self.container, container), moved)


def hierarchies(mountinfo: bytes) -> Hierarchies:
    """The hierarchies in the text of /proc/self/mountinfo."""
    found: dict[str, Hierarchy] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(b" - ")
        fields, (kind, _, options) = before.split(b" "), after.split(b" ", 2)
        here = Hierarchy(unescaped(fields[4]), unescaped(fields[3]))
        if kind == b"cgroup2":
            found.setdefault(UNIFIED, here)
        elif kind == b"cgroup":
            for option in options.decode(errors="replace").split(","):
                found.setdefault(option, here)
    return Hierarchies(found)


def place(known: Hierarchies, membership: bytes, container: str) -> Place | None:
    """The place of a container by the text of /proc/PID/cgroup of one of its processes.

    None: the process is not in a cgroup with the container's id in its name, or that cgroup is not mounted here.
    """
    version = known.version
    wanted = {controller for controller, _ in FILES[version]}
    paths = {
        controller: own
        for controller, path in _memberships(membership)
        if controller in wanted and (own := _of_container(path, container))
    }
    directories = {
        controller: directory
        for controller, path in paths.items()
        if (directory := _directory(known.by_controller.get(controller), path))
    }
    main = "memory" if version == 1 else UNIFIED
    return Place(version, container, paths[main], directories) if main in directories else None


def figures(version: int, texts: Mapping[str, bytes]) -> Cgroup:
    """The counters, by the texts of the FILES that could be read. What is in a file that is missing is 0."""
    return _figures_1(texts) if version == 1 else _figures_2(texts)


def counters(text: bytes) -> dict[str, int]:
    """A text of lines `NAME NUMBER`."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0].decode(): int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _figures_1(texts: Mapping[str, bytes]) -> Cgroup:
    memory, cpu = counters(texts.get("memory.stat", b"")), counters(texts.get("cpu.stat", b""))
    used = _number(texts, "memory.usage_in_bytes")
    return Cgroup(
        cpu_ns=_number(texts, "cpuacct.usage"),
        cpu_system_ns=_number(texts, "cpuacct.usage_sys"),
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_time", 0),
        memory_bytes=used,
        working_set_bytes=max(0, used - memory.get("total_inactive_file", 0)),
        rss_bytes=memory.get("total_rss", 0),
        cache_bytes=memory.get("total_cache", 0),
        mapped_bytes=memory.get("total_mapped_file", 0),
        swap_bytes=memory.get("total_swap", 0),
        faults=memory.get("total_pgfault", 0),
        major_faults=memory.get("total_pgmajfault", 0),
        threads=_number(texts, "pids.current"),
        oom_kills=counters(texts.get("memory.oom_control", b"")).get("oom_kill", 0),
    )


def _figures_2(texts: Mapping[str, bytes]) -> Cgroup:
    memory, cpu = counters(texts.get("memory.stat", b"")), counters(texts.get("cpu.stat", b""))
    used = _number(texts, "memory.current")
    return Cgroup(
        cpu_ns=cpu.get("usage_usec", 0) * 1000,
        cpu_system_ns=cpu.get("system_usec", 0) * 1000,
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        memory_bytes=used,
        working_set_bytes=max(0, used - memory.get("inactive_file", 0)),
        rss_bytes=memory.get("anon", 0),
        cache_bytes=memory.get("file", 0),
        mapped_bytes=memory.get("file_mapped", 0),
        swap_bytes=_number(texts, "memory.swap.current"),
        faults=memory.get("pgfault", 0),
        major_faults=memory.get("pgmajfault", 0),
        threads=_number(texts, "pids.current"),
        oom_kills=counters(texts.get("memory.events", b"")).get("oom_kill", 0),
    )


def _number(texts: Mapping[str, bytes], name: str) -> int:
    text = texts.get(name, b"").strip()
    return int(text) if text.isdigit() else 0


def _memberships(text: bytes) -> Iterator[tuple[str, str]]:
    """Controller and path of each line `ID:CONTROLLERS:PATH`; the controllers of version 2 are empty."""
    for line in text.splitlines():
        _, controllers, path = os.fsdecode(line).split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _of_container(path: str, container: str) -> str:
    """The path up to the container's own cgroup: a process may be in one that the container made inside."""
    names = path.split("/")
    own = next((index for index, name in enumerate(names) if container in name), None)
    return "/".join(names[: own + 1]) if own is not None else ""


def _directory(mounted: Hierarchy | None, path: str) -> str:
    """Where a cgroup is below the mount; empty if the mount does not have it."""
    if mounted is None:
        return ""
    root = mounted.root.rstrip("/")
    return f"{mounted.point}{path[len(root) :]}" if path.startswith(f"{root}/") else ""
