"""Measurements joined to snapshots: rates, traffic and volumes; and the meter on its threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.usage.diskmeter import DiskReport
from agent.usage.figures import Cgroup, ContainerUsage, Machine, Snapshot, Space, Traffic
from agent.usage.joining import Readings, joined
from agent.usage.links import traffic
from agent.usage.meter import Meter
from agent.usage.targets import ContainerTarget, PodTarget, VolumeTarget
from agent.usage.written import Written
from tests.fakes.sessions import until
from tests.unit.agent.fakes import HandClock
from tests.unit.agent.usage.texts import APP, PROC, SANDBOX, Kernel, write

LINKS = traffic(PROC["net/dev"].encode())


def readings(cpu_ns: int, at: float, *, started_at: float = 0.0, host_network: bool = False) -> Readings:
    app = ContainerTarget("app", APP, "app", "web:1", started_at=started_at)
    pod = PodTarget("u1", "default", "web", 0.0, host_network=host_network, containers=(app,))
    used = {APP: ContainerUsage(app, at, Cgroup(cpu_ns=cpu_ns))}
    machine = Machine(at=at, cpu_ns=10 * cpu_ns, links=LINKS)
    return Readings((pod,), used, machine, DiskReport(), lambda uid: "sp0123")


def rate(snapshot: Snapshot) -> int | None:
    return snapshot.pods[0].containers[0].cpu_nano_cores


def test_a_rate_is_that_between_two_measurements() -> None:
    first = joined(Snapshot("n"), readings(1_000_000_000, 1000.0), 50.0)
    second = joined(first, readings(3_000_000_000, 1010.0), 60.0)
    assert (rate(first), first.window_s, first.machine.cpu_nano_cores) == (None, 0.0, None)
    assert (rate(second), second.window_s, second.at, second.node) == (200_000_000, 10.0, 1010.0, "n")
    assert second.machine.cpu_nano_cores == 2_000_000_000


def test_the_rate_of_a_new_container_is_that_since_its_start() -> None:
    assert rate(joined(Snapshot("n"), readings(1_000_000_000, 1000.0, started_at=996.0), 50.0)) == 250_000_000
    assert rate(joined(Snapshot("n"), readings(1_000_000_000, 1000.0, started_at=999.9), 50.0)) is None


def test_the_clock_of_the_wall_does_not_matter_for_rates() -> None:
    first = joined(Snapshot("n"), readings(1_000_000_000, 1000.0), 50.0)
    assert rate(joined(first, readings(3_000_000_000, 200.0), 60.0)) == 200_000_000


def test_two_measurements_in_a_moment_have_no_rate() -> None:
    first = joined(Snapshot("n"), readings(0, 1000.0), 50.0)
    second = joined(first, readings(5_000_000, 1000.1), 50.1)
    assert rate(second) is None and second.machine.cpu_nano_cores is None


def test_the_window_of_a_container_is_that_of_its_rate() -> None:
    first = joined(Snapshot("n"), readings(0, 1000.0, started_at=996.0), 50.0)
    assert first.pods[0].containers[0].window_s == 4.0
    assert joined(first, readings(0, 1010.0), 60.0).pods[0].containers[0].window_s == 10.0


def test_traffic_is_that_of_the_pods_end() -> None:
    own = joined(Snapshot("n"), readings(0, 1.0), 1.0).pods[0].traffic
    assert own == Traffic(LINKS["sp0123"].sent, LINKS["sp0123"].received)
    assert joined(Snapshot("n"), readings(0, 1.0, host_network=True), 1.0).pods[0].traffic is None


class Pods:
    """A pod with a volume."""

    def __init__(self, volume: Path, started_at: float) -> None:
        sandbox = ContainerTarget("", SANDBOX, "pause", "pause:1", 100, started_at)
        app = ContainerTarget("app", APP, "app", "web:1", 0, started_at)
        volumes = (VolumeTarget("data", volume),)
        self.pods = (
            PodTarget("u1", "default", "web", started_at, sandbox=sandbox, containers=(app,), volumes=volumes),
        )
        self.written: list[dict[str, Written]] = []

    def measurable(self) -> tuple[PodTarget, ...]:
        return self.pods

    def take_written(self, written: Mapping[str, Written]) -> None:
        self.written.append(dict(written))


@pytest.mark.parametrize("version", [1, 2])
async def test_the_meter_measures_pods_and_disks(tmp_path: Path, version: int) -> None:
    kernel, clock = Kernel(tmp_path, version), HandClock()
    kernel.start(SANDBOX, 100)
    kernel.start(APP)
    write(tmp_path, {"volume/file": "x" * 5000})
    pods = Pods(tmp_path / "volume", clock.wall() - 500)
    meter = Meter("node-1", tmp_path, clock, link_of=lambda uid: "sp0123", proc=kernel.proc)
    assert meter.snapshot == Snapshot("node-1")
    await meter.measure(pods)
    await meter.measure_disks(pods)
    kernel.set_cpu(APP, 12_000_000_000)
    await clock.advance(10.0)
    await meter.measure(pods)
    (pod,) = meter.snapshot.pods
    assert pod.containers[0].cpu_nano_cores == pytest.approx(500_000_000, rel=0.01)
    assert pod.sandbox is not None and pod.sandbox.cpu_nano_cores == 0
    assert pod.volumes["data"].used_bytes and isinstance(pod.volumes["data"], Space)
    assert meter.snapshot.machine.state is not None


async def test_only_pods_with_limits_are_measured_for_them(tmp_path: Path) -> None:
    write(tmp_path, {"volume/file": "x" * 5000})
    pods = Pods(tmp_path / "volume", 0.0)
    meter = Meter("node-1", tmp_path, HandClock(), link_of=lambda uid: "", proc=Kernel(tmp_path, 2).proc)
    await meter.measure_limited(pods)
    assert pods.written == []
    pods.pods = (replace(pods.pods[0], limited=True), replace(pods.pods[0], uid="u2"))
    await meter.measure_limited(pods)
    ((uid, found),) = pods.written[0].items()
    assert uid == "u1" and found.volumes["data"] > 5000 and found.containers == {}


async def test_the_meter_goes_on_after_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kernel, clock = Kernel(tmp_path, 2), HandClock()
    (kernel.proc / "stat").rename(tmp_path / "kept")
    (kernel.proc / "stat").mkdir()
    meter = Meter("node-1", tmp_path, clock, link_of=lambda uid: "", proc=kernel.proc)
    task = asyncio.create_task(meter.run(Pods(tmp_path, 0.0)), name="meter")
    await until(lambda: "usage cannot be measured" in caplog.text)
    (kernel.proc / "stat").rmdir()
    (tmp_path / "kept").rename(kernel.proc / "stat")
    while not meter.snapshot.at:
        await clock.advance(10.0)
    assert meter.snapshot.machine.cores == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
