"""What counts as written by a pod."""

from __future__ import annotations

from pathlib import Path

from agent.usage.diskmeter import DiskReport
from agent.usage.figures import Space
from agent.usage.targets import ContainerTarget, PodTarget, VolumeTarget
from agent.usage.written import Written, written


def used(count: int | None) -> Space:
    return Space(0.0, 0, 0, 0, 0, used_bytes=count)


def test_layers_logs_and_volumes_on_the_disk_count() -> None:
    containers = tuple(ContainerTarget(name, f"id-{name}", name, "i") for name in ("app", "side", "new"))
    volumes = tuple(
        VolumeTarget(name, Path("/v"), ephemeral=name != "memory") for name in ("disk", "memory", "missing", "unknown")
    )
    pods = (PodTarget("u1", "default", "web", 0.0, containers=containers, volumes=volumes),)
    report = DiskReport(
        volumes={("u1", "disk"): used(100), ("u1", "memory"): used(1000), ("u1", "unknown"): used(None)},
        logs={"id-app": used(10)},
        layers={"id-app": used(1), "id-side": used(2)},
    )
    volumes_written = {"disk": 100, "memory": 1000, "unknown": 0}
    assert written(pods, report) == {"u1": Written({"app": 11, "side": 2}, volumes_written, 113)}
