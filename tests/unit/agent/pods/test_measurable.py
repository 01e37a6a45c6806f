"""What of the pods can be measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model import Container, EmptyDir, HostPath, Resources, RestartPolicy, Volume
from agent.usage.targets import PodTarget
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, Bed, desired, make_bed, pod

LIMITED = Container(
    "app", IMAGE, resources=Resources(cpu_request_millis=100, cpu_limit_millis=250, memory_limit_bytes=1 << 20)
)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


async def test_a_running_pod_is_measured_with_its_containers_and_own_volumes(bed: Bed) -> None:
    volumes = (Volume("own", EmptyDir()), Volume("hosts", HostPath("/", "Directory")))
    (bed.config.state_dir / "root").mkdir()
    async with bed.running(pod(containers=(LIMITED,), volumes=volumes)) as manager:
        (target,) = manager.measurable()
    (app,) = bed.engine.named("app")
    assert (target.namespace, target.name, target.uid, target.host_network) == ("default", "web", "u1", False)
    assert target.started_at == bed.clock.wall()
    assert target.sandbox is not None and target.sandbox.name == "" and target.sandbox.pid > 0
    (container,) = target.containers
    assert (container.id, container.name, container.engine_name, container.image) == (app.id, "app", app.name, IMAGE)
    assert (container.cpu_request_millis, container.cpu_limit_millis) == (100, 250)
    assert not target.limited
    assert container.memory_limit_bytes == 1 << 20 and container.started_at == bed.clock.wall()
    (volume,) = target.volumes
    assert volume.name == "own" and volume.path.is_dir()


async def test_a_container_that_has_ended_is_not_measured(bed: Bed) -> None:
    async def measurable() -> tuple[PodTarget, ...]:
        await settle()
        return manager.measurable()

    async with bed.manager() as manager:
        assert await measurable() == ()
        await manager.apply(desired(pod(restart_policy=RestartPolicy.NEVER)), complete=True)
        assert [len(target.containers) for target in await measurable()] == [1]
        bed.engine.end("sampan_u1_app_0", 1)
        assert [target.containers for target in await measurable()] == []
