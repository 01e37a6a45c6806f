"""Reads the cgroup files of the running containers.

Owns the places that it has found, by container. Its calls block: each container takes about ten short system calls.
Decides nothing: cgroups.py says what to read and what it means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from agent.usage.cgroups import FILES, Hierarchies, Place, figures, hierarchies, place
from agent.usage.figures import ContainerUsage
from agent.usage.targets import ContainerTarget, PodTarget

_MOST_BYTES: Final = 64 << 10
"""No file of a cgroup is longer."""


class CgroupFiles:
    """The cgroups of this host. Used by one thread at a time."""

    def __init__(self, wall: Callable[[], float], *, proc: Path = Path("/proc")) -> None:
        self._wall = wall
        self._proc = proc
        self._hierarchies: Hierarchies | None = None
        self._places: dict[str, Place] = {}

    def read(self, pods: tuple[PodTarget, ...]) -> dict[str, ContainerUsage]:
        """The usage of each container whose cgroup is there, by id."""
        used: dict[str, ContainerUsage] = {}
        known: dict[str, Place] = {}
        for pod in pods:
            for container, where in self._located(pod):
                usage = self._usage(container, where)
                if usage is not None:
                    used[container.id], known[container.id] = usage, where
        self._places = known
        return used

    def process(self, container: str) -> int:
        """A process of a container that was read last; 0: there is none."""
        where = self._places.get(container)
        if where is None:
            return 0
        directory = next(iter(where.directories.values()))
        first = (_read(f"{directory}/cgroup.procs") or b"").split(b"\n", 1)[0]
        return int(first) if first.isdigit() else 0

    def _located(self, pod: PodTarget) -> Iterator[tuple[ContainerTarget, Place]]:
        """The place of each container: by its process, or else beside another container of the pod."""
        beside: Place | None = None
        for container in pod.all_containers:
            where = self._places.get(container.id) or self._by_process(container)
            beside = beside or where
            where = where or (beside.sibling(container.id) if beside is not None else None)
            if where is not None:
                yield container, where

    def _by_process(self, container: ContainerTarget) -> Place | None:
        if not container.pid:
            return None
        membership = _read(f"{self._proc}/{container.pid}/cgroup")
        return place(self._mounted(), membership, container.id) if membership else None

    def _mounted(self) -> Hierarchies:
        if self._hierarchies is None:
            self._hierarchies = hierarchies((self._proc / "self" / "mountinfo").read_bytes())
        return self._hierarchies

    def _usage(self, container: ContainerTarget, where: Place) -> ContainerUsage | None:
        texts = {
            name: text
            for controller, name in FILES[where.version]
            if (directory := where.directories.get(controller)) and (text := _read(f"{directory}/{name}")) is not None
        }
        if not texts:
            return None
        return ContainerUsage(container, self._wall(), figures(where.version, texts), where.path)


def _read(path: str) -> bytes | None:
    """The file's text; None if the container has ended, or the kernel has no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, _MOST_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
