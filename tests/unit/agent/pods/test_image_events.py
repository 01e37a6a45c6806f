"""What people read about images: the events and the states of the kubelet, in its words."""

from __future__ import annotations

from agent.model import Container, Pod, PullPolicy
from agent.runtime.errors import EngineFault, PullFailed
from agent.statuses import Waiting
from tests.unit.agent.pods.bed import IMAGE, Bed, pod

FAR = "r.example/far:1"


def with_image(image: str, policy: PullPolicy = PullPolicy.IF_NOT_PRESENT) -> Pod:
    return pod(containers=(Container("app", image, pull_policy=policy),))


def told(bed: Bed) -> list[tuple[bool, str, str]]:
    """The events of the container: whether it is a warning, reason and message."""
    return [(each.warning, each.reason, each.message) for each in bed.reporter.events if each.field_path]


async def test_a_pull_is_reported_with_its_times_and_the_size(bed: Bed) -> None:
    bed.engine.registry[FAR] = "sha256:far"
    async with bed.running(with_image(FAR)):
        assert told(bed)[:2] == [
            (False, "Pulling", f'Pulling image "{FAR}"'),
            (
                False,
                "Pulled",
                f'Successfully pulled image "{FAR}" in 1.5s (0s including waiting). Image size: 4321 bytes.',
            ),
        ]


async def test_an_image_that_is_present(bed: Bed) -> None:
    async with bed.running(with_image(IMAGE)):
        text = f'Container image "{IMAGE}" already present on machine and can be accessed by the pod'
        assert told(bed)[0] == (False, "Pulled", text)


async def test_a_failed_pull_and_its_back_off(bed: Bed) -> None:
    bed.engine.fail_next("pull", PullFailed("no route"), PullFailed("no route"))
    async with bed.running(with_image(FAR)):
        assert bed.state() == Waiting("ErrImagePull", "no route")
        failed = [
            (False, "Pulling", f'Pulling image "{FAR}"'),
            (True, "Failed", f'Failed to pull image "{FAR}": no route'),
            (True, "Failed", "Error: ErrImagePull"),
        ]
        assert told(bed) == failed
        await bed.clock.advance(3)
        assert bed.state() == Waiting("ImagePullBackOff", f'Back-off pulling image "{FAR}": ErrImagePull: no route')
        waits = [
            (False, "BackOff", f'Back-off pulling image "{FAR}"'),
            (True, "Failed", "Error: ImagePullBackOff"),
        ]
        assert told(bed) == failed + waits
        await bed.clock.advance(5)
        assert told(bed) == failed + waits, "once for each failure"
        await bed.clock.advance(5)
        assert told(bed) == (failed + waits) + failed + waits


async def test_an_image_that_may_not_be_pulled(bed: Bed) -> None:
    async with bed.running(with_image(FAR, PullPolicy.NEVER)):
        text = f'Container image "{FAR}" is not present with pull policy of Never'
        assert bed.state() == Waiting("ErrImageNeverPull", text)
        assert told(bed) == [(True, "ErrImageNeverPull", text), (True, "Failed", "Error: ErrImageNeverPull")]


async def test_what_is_not_an_image(bed: Bed) -> None:
    async with bed.running(with_image("Bad//Name")):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "InvalidImageName"
        assert state.message.startswith('Failed to apply default image tag "Bad//Name": couldn\'t parse image name')
        assert told(bed) == [(True, "InspectFailed", state.message), (True, "Failed", "Error: InvalidImageName")]


async def test_an_engine_that_cannot_look(bed: Bed) -> None:
    bed.engine.fail_next("image_id", EngineFault("database is locked"))
    async with bed.running(with_image(IMAGE)):
        text = f'Failed to inspect image "{IMAGE}": database is locked'
        assert bed.state() == Waiting("ImageInspectError", text)
        assert told(bed) == [(True, "InspectFailed", text), (True, "Failed", "Error: ImageInspectError")]
