"""Measures regularly what this node and its pods use, and keeps the last result as a Snapshot.

Owns the periods and the threads that read. The event loop only asks for the pods and joins the results.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from agent.clock import Clock
from agent.usage.cgroupfiles import CgroupFiles
from agent.usage.diskmeter import ALL_S, DiskMeter, DiskReport
from agent.usage.figures import ContainerUsage, Machine, Snapshot
from agent.usage.joining import MEASURE_S, Readings, joined
from agent.usage.machine import MachineFiles
from agent.usage.targets import PodTarget
from agent.usage.written import Written, written
from hull.blocking import BlockingCalls, Hangs

DISKS_S: Final = 60.0
"""The kubelet's period for volumes."""
LIMITED_S: Final = 10.0
"""The kubelet's period of comparisons with limits of storage."""
LONGEST_S: Final = 2 * ALL_S
"""How long a measurement of all disks may take; if it takes longer, a disk hangs."""

_LOG = logging.getLogger(__name__)


class Measured(Protocol):
    """The part of PodManager (agent/pods) that is used. It evicts pods that have written more than they may."""

    def measurable(self) -> tuple[PodTarget, ...]: ...
    def take_written(self, written: Mapping[str, Written]) -> None: ...


class Meter:
    """The usage of this node. `run` measures until it is cancelled."""

    def __init__(
        self,
        node: str,
        state_dir: Path,
        clock: Clock,
        *,
        link_of: Callable[[str], str],
        proc: Path = Path("/proc"),
        longest_s: float = LONGEST_S,
    ) -> None:
        """`link_of`: the name of the host's end of a pod's link, by the pod's uid. `longest_s`: see LONGEST_S."""
        self._clock = clock
        self._link_of = link_of
        self._cgroups = CgroupFiles(clock.wall, proc=proc)
        self._machine = MachineFiles(clock.wall, proc=proc)
        self._disks = DiskMeter(state_dir, clock.wall, proc=proc)
        self._limited_disks = DiskMeter(state_dir, clock.wall, proc=proc, partly=True)
        self._disk_report = DiskReport()
        self._longest_s = longest_s
        self._snapshot = Snapshot(node)
        # Nothing else waits behind this thread, and it waits behind nothing else.
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="usage")
        # A disk may be slow, or hang.
        self._counting = BlockingCalls(1)

    @property
    def snapshot(self) -> Snapshot:
        """The last measurement; without pods and with zeros before the first one."""
        return self._snapshot

    async def run(self, pods: Measured) -> None:
        """Measure until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._repeat(self.measure, pods, MEASURE_S), name="usage")
                group.create_task(self._repeat(self.measure_disks, pods, DISKS_S), name="usage of disks")
                group.create_task(self._repeat(self.measure_limited, pods, LIMITED_S), name="limits of disks")
        finally:
            self._disks.stop()
            self._limited_disks.stop()
            self._reading.shutdown(wait=False, cancel_futures=True)

    async def measure(self, pods: Measured) -> None:
        """Measure once: processes, memory and links. Raises OSError."""
        targets = pods.measurable()
        loop, now = asyncio.get_running_loop(), self._clock.monotonic()
        used, machine = await loop.run_in_executor(self._reading, self._read, targets)
        readings = Readings(targets, used, machine, self._disk_report, self._link_of)
        self._snapshot = joined(self._snapshot, readings, now)

    async def measure_disks(self, pods: Measured) -> None:
        """Measure once: volumes, logs and the layers of containers. Shown with the next measurement. Raises OSError."""
        self._disk_report = await self._count(self._disks, pods.measurable())

    async def measure_limited(self, pods: Measured) -> None:
        """Measure once what the pods with limits have written, and report it to `pods`. Raises OSError."""
        targets = tuple(target for target in pods.measurable() if target.limited)
        if targets:
            pods.take_written(written(targets, await self._count(self._limited_disks, targets)))

    async def _count(self, disks: DiskMeter, targets: tuple[PodTarget, ...]) -> DiskReport:
        """The figures of the disks; without any if one of them hangs."""
        loop = asyncio.get_running_loop()
        ids = [container.id for pod in targets for container in pod.containers]
        processes = await loop.run_in_executor(
            self._reading, lambda: {container: self._cgroups.process(container) for container in ids}
        )
        counting = partial(disks.measure, targets, processes)
        try:
            return await self._counting.run("disks", counting, deadline_s=self._longest_s)
        except Hangs as error:
            _LOG.warning("the use of disks is not known: a disk hangs: %s", error)
            return DiskReport()

    async def _repeat(self, measure: Callable[[Measured], Awaitable[None]], pods: Measured, period_s: float) -> None:
        while True:
            try:
                await measure(pods)
            except Exception:  # noqa: BLE001 - the loop's boundary: the next measurement may succeed
                _LOG.exception("usage cannot be measured")
            await self._clock.sleep(period_s)

    def _read(self, pods: tuple[PodTarget, ...]) -> tuple[dict[str, ContainerUsage], Machine]:
        return self._cgroups.read(pods), self._machine.read()
