"""How much disk the pods of this node use: volumes, logs and what containers wrote elsewhere.

Owns the bounds of a measurement and the places that it has found. Its calls block and are made on a thread of their
own, because a disk can be slow. A tree beyond the bounds has no figure, or only that of a part.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Final

from agent.usage.disks import TooLarge, Tree, files, space, tree, whole
from agent.usage.figures import Space
from agent.usage.layers import Layers, layers
from agent.usage.targets import PodTarget

MOST_FILES: Final = 100_000
"""Files of one tree that are counted."""
TREE_S: Final = 2.0
"""How long the count of one tree may take."""
ALL_S: Final = 20.0
"""How long the counts of all trees may take."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DiskReport:
    """What was measured: volumes by the pod's uid and their name, logs and layers by the container's id."""

    volumes: Mapping[tuple[str, str], Space] = field(default_factory=dict)
    logs: Mapping[str, Space] = field(default_factory=dict)
    layers: Mapping[str, Space] = field(default_factory=dict)
    state: Space | None = None
    images: Space | None = None


class DiskMeter:
    """Measures disks. Used by one thread at a time."""

    def __init__(
        self,
        state_dir: Path,
        wall: Callable[[], float],
        *,
        proc: Path = Path("/proc"),
        monotonic: Callable[[], float] = time.monotonic,
        partly: bool = False,
    ) -> None:
        """`partly`: the figure of a tree beyond the bounds is that of the part that was counted."""
        self._state_dir = state_dir
        self._wall = wall
        self._proc = proc
        self._monotonic = monotonic
        self._partly = partly
        self._layers: dict[str, Layers] = {}
        self._too_large: frozenset[str] = frozenset()
        self._stopped = Event()

    def stop(self) -> None:
        """Give up the measurement in progress, from another thread."""
        self._stopped.set()

    def measure(self, pods: tuple[PodTarget, ...], processes: Mapping[str, int]) -> DiskReport:
        """Measure all of them. `processes`: a process of each container, by the container's id."""
        self._find(pods, processes)
        ends_at = self._monotonic() + ALL_S
        too_large: set[str] = set()

        def used(path: Path, what: str) -> Space | None:
            until = min(ends_at, self._monotonic() + TREE_S)
            try:
                counted = tree(path, most=MOST_FILES, in_time=lambda: self._goes_on(until))
            except TooLarge as error:
                if self._partly:
                    return self._part(path, error.counted)
                if not self._stopped.is_set():
                    too_large.add(what)
                return space(path, self._wall())
            except OSError:
                return None
            return self._part(path, counted)

        volumes = {
            (pod.uid, volume.name): found
            for pod in pods
            for volume in pod.volumes
            if (found := used(volume.path, f"volume {volume.name} of pod {pod.namespace}/{pod.name}"))
        }
        written = {
            container: found
            for container, place in self._layers.items()
            if place.upper is not None and (found := used(place.upper, f"what container {container[:12]} wrote"))
        }
        self._report(frozenset(too_large))
        images = next((place.upper for place in self._layers.values() if place.upper is not None), None)
        return DiskReport(
            volumes=volumes,
            logs=self._logs(),
            layers=written,
            state=whole(self._state_dir, self._wall()),
            images=whole(images, self._wall()) if images is not None else None,
        )

    def _goes_on(self, until: float) -> bool:
        return self._monotonic() < until and not self._stopped.is_set()

    def _find(self, pods: tuple[PodTarget, ...], processes: Mapping[str, int]) -> None:
        """Find the places of new containers, and forget those that are gone."""
        running = {container.id for pod in pods for container in pod.containers}
        known = {container: place for container, place in self._layers.items() if container in running}
        new = [container for container in running - known.keys() if processes.get(container)]
        own = (self._proc / "self" / "mountinfo").read_bytes() if new else b""
        for container in new:
            try:
                mounts = (self._proc / str(processes[container]) / "mountinfo").read_bytes()
            except OSError:
                continue  # it has just ended
            known[container] = layers(container, mounts, own)
        self._layers = known

    def _logs(self) -> dict[str, Space]:
        return {
            container: found
            for container, place in self._layers.items()
            if place.logs and (found := self._part(place.logs[0].parent, files(place.logs)))
        }

    def _part(self, path: Path, used: Tree) -> Space | None:
        found = space(path, self._wall())
        return replace(found, used_bytes=used.used_bytes, inodes_used=used.inodes) if found else None

    def _report(self, too_large: frozenset[str]) -> None:
        for what in sorted(too_large - self._too_large):
            _LOG.info("%s: too many files to count, so its usage is not shown", what)
        self._too_large = too_large
