"""Image volumes: when their images are pulled, how containers wait for them, and what stays with the pod."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Container, ImageVolume, PullPolicy, Volume, VolumeMount
from agent.runtime.errors import PullFailed
from agent.statuses import Waiting
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

DATA = "data:1"
MOUNTS = (VolumeMount("data", "/d", read_only=True), VolumeMount("data", "/sub", sub_path="a"))
WEB = pod(
    containers=(Container("app", IMAGE, volume_mounts=MOUNTS), Container("other", IMAGE)),
    volumes=(Volume("data", ImageVolume(DATA)),),
)


@pytest.fixture
def unpacked(bed: Bed) -> None:
    """The files of the image are there already: unpacking is tested with real processes."""
    (bed.config.state_dir / "imagefiles" / "abc" / "a").mkdir(parents=True)


@pytest.mark.usefixtures("unpacked")
async def test_a_container_mounts_the_files_of_an_image(bed: Bed) -> None:
    bed.engine.registry[DATA] = "sha256:abc"
    async with bed.running(WEB):
        assert bed.ready()
        assert bed.engine.calls.count(("pull", DATA)) == 1
        spec = bed.engine.specs[bed.engine.named("app")[0].id]
        volume = bed.config.state_dir / "pods" / UID / "volumes" / "data"
        assert bed.binds.mounted[volume] == bed.config.state_dir / "imagefiles" / "abc"
        app, other = bed.reporter.statuses[UID].containers
        assert app.volume_images == {0: "docker://sha256:abc", 1: "docker://sha256:abc"} and not other.volume_images
        # The engine is not asked for a read-only mount: it would drop the restrictions of the agent's own.
        (whole,) = [mount for mount in spec.mounts if mount.target == "/d"]
        assert (whole.source, whole.read_only) == (str(volume), False)


@pytest.mark.usefixtures("unpacked")
async def test_the_volume_keeps_its_image_whatever_the_registry_has_later(bed: Bed) -> None:
    bed.engine.registry[DATA] = "sha256:abc"
    always = replace(WEB, volumes=(Volume("data", ImageVolume(DATA, PullPolicy.ALWAYS)),))
    async with bed.running(always):
        assert bed.ready()
    bed.engine.registry[DATA] = bed.engine.present[DATA] = "sha256:def"
    async with bed.running(always):
        bed.engine.end(bed.engine.named("app")[0].id, 1)
        await bed.clock.advance(20)
        assert bed.ready()
        assert bed.engine.calls.count(("pull", DATA)) == 1


async def test_only_containers_that_mount_it_wait_for_its_image(bed: Bed) -> None:
    bed.engine.fail_next("pull", PullFailed(f'image "{DATA}" could not be pulled: no route'))
    async with bed.running(WEB):
        waiting = bed.state()
        assert isinstance(waiting, Waiting) and waiting.reason == "ErrImagePull" and DATA in waiting.message
        assert bed.engine.named("other")[0].running and not bed.engine.named("app")
        await bed.clock.advance(3)
        waiting = bed.state()
        assert isinstance(waiting, Waiting) and waiting.reason == "ImagePullBackOff"
        assert waiting.message.startswith(f'Back-off pulling image "{DATA}"')
        (event,) = [event for event in bed.reporter.events if event.reason == "BackOff"]
        assert event.message == f'Back-off pulling image "{DATA}"'


async def test_a_missing_image_that_is_never_pulled(bed: Bed) -> None:
    async with bed.running(replace(WEB, volumes=(Volume("data", ImageVolume(DATA, PullPolicy.NEVER)),))):
        waiting = bed.state()
        assert isinstance(waiting, Waiting) and waiting.reason == "ErrImageNeverPull"


@pytest.mark.usefixtures("unpacked")
async def test_the_files_go_with_the_last_pod(bed: Bed) -> None:
    bed.engine.registry[DATA] = "sha256:abc"
    async with bed.running(WEB) as manager:
        await manager.apply(desired(replace(WEB, deletion_at=1.0, grace_period_s=0)), complete=True)
        await bed.clock.advance(5)
        assert bed.names() == []
        assert list((bed.config.state_dir / "imagefiles").iterdir()) == []
