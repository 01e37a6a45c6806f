"""A pod whose volumes hang is deleted: nothing waits for them, and no two calls change the pod's directory at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent.model import Container, EmptyDir, HostPath, Volume, VolumeMount
from agent.pods.reports import PROGRESS_S
from agent.statuses import Waiting
from tests.fakes.sessions import until
from tests.unit.agent.fakes import on_the_executor, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

WEB = pod(containers=(Container("app", IMAGE),), volumes=(Volume("data", EmptyDir()),))


async def test_the_event_and_the_status_name_the_volume_that_hangs(bed: Bed) -> None:
    calls: list[Callable[[], None]] = []

    def start(job: Callable[[], None]) -> None:
        calls.append(job)
        if len(calls) == 1:  # those of the node itself
            on_the_executor(job)

    bed.start_call, bed.foreign_s = start, 0.01
    app = Container("app", IMAGE, volume_mounts=(VolumeMount("data", "/d"),))
    web = pod(containers=(app,), volumes=(Volume("data", HostPath("/mnt/share")),))
    async with bed.running(web):
        text = 'volume "data": hostPath "/mnt/share" hangs: no answer within 0.01 s'
        await until(lambda: "FailedMount" in bed.reporter.reasons())
        await bed.clock.advance(PROGRESS_S)
        assert bed.state() == Waiting("ContainerCreating", text)
        assert [event.message for event in bed.reporter.events if event.reason == "FailedMount"] == [text]
        assert len(calls) == 2


async def test_a_deleted_pod_does_not_wait_for_its_volumes_and_its_directory_outlives_the_call(bed: Bed) -> None:
    held: list[Callable[[], None]] = []
    bed.start_call = held.append
    directory = bed.config.state_dir / "pods" / UID
    async with bed.running(WEB) as manager:
        assert len(held) == 1, "the volumes are being prepared"
        await manager.apply(desired(replace(WEB, deletion_at=bed.clock.now)), complete=True)
        await bed.clock.advance(60)
        assert not bed.names() and not bed.network.addresses, "all else is gone"
        assert len(held) == 1, "the removal waits for the call that was given up"
        held.pop()()
        assert (directory / "volumes" / "data").is_dir(), "it was late"
        await settle()
        while held:
            held.pop()()
            await settle()
        assert not directory.exists() and manager.idle
