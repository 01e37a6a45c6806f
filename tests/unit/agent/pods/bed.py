"""A node with pods on a fake engine, and helpers for its desired state; shared by the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.model import ClusterDns, Container, Desired, Pod, PodUid
from agent.pods.interface import PodsConfig
from agent.pods.manager import PodManager
from agent.runtime.fake import FakeRuntime
from agent.volumes.calls import FOREIGN_S, VolumeCalls
from agent.volumes.manager import Volumes
from hull.blocking import Start
from tests.unit.agent.fakes import (
    FakeBinds,
    FakeIssuer,
    FakeMemoryFiles,
    FakeNetwork,
    FakeProber,
    FakeReporter,
    HandClock,
    on_the_executor,
    settle,
)

UID = PodUid("u1")
PAUSE, IMAGE = "sampan/pause:1", "web:1"
DNS = ClusterDns("cluster.local", "10.96.0.10")


@dataclass
class Bed:
    """A node. As on a real one, engine, network and disk outlive the manager."""

    clock: HandClock
    engine: FakeRuntime
    network: FakeNetwork
    reporter: FakeReporter
    config: PodsConfig
    memory: FakeMemoryFiles
    binds: FakeBinds
    issuer: FakeIssuer = field(default_factory=FakeIssuer)
    prober: FakeProber = field(default_factory=FakeProber)
    start_call: Start = on_the_executor
    """Begins the blocking calls of volumes."""
    foreign_s: float = FOREIGN_S
    """The deadline of those that may hang, in real seconds."""

    @asynccontextmanager
    async def manager(self) -> AsyncIterator[PodManager]:
        volumes = Volumes(
            state_dir=self.config.state_dir,
            host_path_root=self.config.host_root,
            memory=self.memory,
            binds=self.binds,
            calls=VolumeCalls(start=self.start_call, foreign_s=self.foreign_s),
        )
        manager = PodManager(
            self.engine,
            self.network,
            volumes,
            self.reporter,
            self.clock,
            self.config,
            prober=self.prober,
            processes=self.engine.exec,
            tokens=self.issuer,
        )
        task = asyncio.create_task(manager.run(), name="manager")
        try:
            await settle()
            yield manager
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def running(self, *pods: Pod, **more: object) -> AsyncIterator[PodManager]:
        """A manager that has done for these pods what it can without time passing. `more`: of the desired state."""
        async with self.manager() as manager:
            await manager.apply(desired(*pods, **more), complete=True)
            await settle()
            yield manager

    def names(self) -> list[str]:
        return [record.name for record in self.engine.named("")]

    def state(self, container: int = 0) -> object:
        return self.reporter.statuses[UID].containers[container].state

    def ready(self, uid: PodUid = UID) -> bool:
        conditions = self.reporter.statuses[uid].conditions
        return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def make_bed(
    directory: Path,
    engine: FakeRuntime | None = None,
    network: FakeNetwork | None = None,
    *,
    clock: HandClock | None = None,
) -> Bed:
    """A node with the images that the tests use."""
    clock = clock or HandClock()
    engine = engine or FakeRuntime(clock)
    engine.present = {PAUSE: "sha256:pause", IMAGE: "sha256:web"}
    config = PodsConfig(
        cluster_id="c1",
        node_name="n1",
        state_dir=directory,
        pause_image=PAUSE,
        resolv_conf=directory / "none",
        host_root=directory / "root",
        proc=directory / "proc",
    )
    return Bed(clock, engine, network or FakeNetwork(), FakeReporter(), config, FakeMemoryFiles(), FakeBinds())


def pod(**changes: object) -> Pod:
    plain = Pod(UID, "default", "web", containers=(Container("app", IMAGE),))
    return replace(plain, **changes)  # type: ignore[arg-type]


def desired(*pods: Pod, **more: object) -> Desired:
    made = Desired(pods={pod.uid: pod for pod in pods}, host_ip="192.0.2.7", dns=DNS)
    return replace(made, **more)  # type: ignore[arg-type]
