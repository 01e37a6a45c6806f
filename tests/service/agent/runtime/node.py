"""The pods of a node on an engine behind a socket; shared by the tests of this folder. Time passes fast."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.model import ClusterDns, Container, Desired, Pod, PodPhase, PodUid
from agent.pods.interface import PodsConfig
from agent.pods.manager import PodManager
from agent.runtime.docker import DockerRuntime
from agent.volumes.manager import Volumes
from tests.unit.agent.fakes import FakeBinds, FakeIssuer, FakeMemoryFiles, FakeNetwork, FakeProber, FakeReporter

IMAGE = "web:1"


DNS = ClusterDns("cluster.local", "10.96.0.10")
SPEED = 100
"""The seconds of a test that pass in one of the machine."""


class FastClock:
    """Time passes fast."""

    def wall(self) -> float:
        return time.time() * SPEED

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Node:
    """The pods of a node, and what they report."""

    def __init__(self, runtime: DockerRuntime, directory: Path) -> None:
        self.reporter = FakeReporter()
        self.network = FakeNetwork()
        self._directory = directory
        self._runtime = runtime

    @asynccontextmanager
    async def running(self) -> AsyncIterator[PodManager]:
        """One life of the agent."""
        volumes = Volumes(
            state_dir=self._directory,
            host_path_root=self._directory / "root",
            memory=FakeMemoryFiles(),
            binds=FakeBinds(),
        )
        config = PodsConfig(
            cluster_id="c1", node_name="n1", state_dir=self._directory, resolv_conf=self._directory / "none"
        )
        manager = PodManager(
            self._runtime,
            self.network,
            volumes,
            self.reporter,
            FastClock(),
            config,
            prober=FakeProber(),
            tokens=FakeIssuer(),
            processes=self._runtime.exec,
        )
        task = asyncio.create_task(manager.run(), name="manager")
        try:
            yield manager
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    def ready(self, *names: str) -> bool:
        """Whether all these pods are Ready."""
        statuses = [self.reporter.statuses.get(PodUid(name)) for name in names]
        return all(
            status is not None and any(each.type == "Ready" and each.status == "True" for each in status.conditions)
            for status in statuses
        )

    def restarts(self, name: str) -> int:
        """The restart count of the pod's container."""
        status = self.reporter.statuses.get(PodUid(name))
        return sum(container.restart_count for container in status.containers) if status is not None else 0

    def phases(self, *names: str) -> list[PodPhase]:
        """What was reported last."""
        return [self.reporter.statuses[PodUid(name)].phase for name in names]


def desired(*names: str) -> Desired:
    pods = (Pod(PodUid(name), "default", name, containers=(Container("app", IMAGE),)) for name in names)
    return Desired(pods={pod.uid: pod for pod in pods}, host_ip="192.0.2.7", dns=DNS)
