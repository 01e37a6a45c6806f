"""Volumes that containers see as block devices, and pods that use a volume in the wrong mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model import Container, HostPath, Volume, VolumeDevice, VolumeMount
from agent.pods.errors import ContainerConfigError
from agent.pods.mounting import devices
from agent.runtime.containers import Device
from agent.statuses import Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, Bed, pod

DISK = Volume("disk", HostPath("/dev/sdb", "BlockDevice"), block=True)
SEES_A_DEVICE = Container("app", IMAGE, volume_devices=(VolumeDevice("disk", "/dev/xvda"),))
MOUNTS = Container("app", IMAGE, volume_mounts=(VolumeMount("disk", "/disk"),))


@pytest.mark.parametrize(("read_only", "permissions"), [(False, "rwm"), (True, "r")])
def test_a_device_of_a_claim_that_is_read_only_can_only_be_read(*, read_only: bool, permissions: str) -> None:
    web = pod(containers=(SEES_A_DEVICE,), volumes=(Volume("disk", DISK.source, read_only, block=True),))
    found = devices(web, SEES_A_DEVICE, {"disk": Path("/dev/sdb")})
    assert found == [Device("/dev/sdb", "/dev/xvda", permissions)]


def test_a_device_without_a_volume_is_refused() -> None:
    with pytest.raises(ContainerConfigError, match='cannot find volume "disk" to pass into container "app"'):
        devices(pod(containers=(SEES_A_DEVICE,)), SEES_A_DEVICE, {})


@pytest.mark.parametrize(
    ("container", "volume", "problem"),
    [
        (MOUNTS, DISK, 'volume "disk" has volumeMode Block, but is specified in volumeMounts'),
        (
            SEES_A_DEVICE,
            Volume("disk", HostPath("/data")),
            'volume "disk" has volumeMode Filesystem, but is specified in volumeDevices',
        ),
        (SEES_A_DEVICE, DISK, 'hostPath type check failed: "/dev/sdb" is not a blockdevice'),
    ],
    ids=["mounted", "a file system", "no device"],
)
async def test_a_volume_in_the_wrong_mode_keeps_its_pod_waiting(
    bed: Bed, container: Container, volume: Volume, problem: str
) -> None:
    async with bed.running(pod(containers=(container,), volumes=(volume,))):
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and problem in state.message
        assert [event.reason for event in bed.reporter.events if problem in event.message] == ["FailedMount"]
