"""Failed actions: Kubernetes' reasons for a waiting container and for events."""

from __future__ import annotations

import pytest

from agent.model import Container
from agent.pods.actions import Action, CreateContainer, EnsureImage, StartContainer
from agent.pods.errors import ContainerConfigError, ImageMissing
from agent.pods.failures import failure_of
from agent.runtime.errors import (
    BadRequest,
    EngineFault,
    EngineGone,
    ImageNotFound,
    InvalidImageName,
    PullFailed,
    TimedOut,
)
from agent.runtime.records import ContainerId
from agent.statuses import Waiting
from tests.unit.agent.pods.bed import Bed, pod

APP = Container("app", "web:1")
PULL = EnsureImage(APP, 0)
CREATE = CreateContainer(APP, attempt=0, sandbox=ContainerId("s"), sandbox_attempt=0)
START = StartContainer(APP, ContainerId("c"))


@pytest.mark.parametrize(
    ("action", "error", "reason", "event"),
    [
        (PULL, InvalidImageName("a"), "InvalidImageName", "InspectFailed"),
        (PULL, ImageMissing("a"), "ErrImageNeverPull", "ErrImageNeverPull"),
        (PULL, EngineFault("500"), "ImageInspectError", "InspectFailed"),
        (PULL, TimedOut("a"), "ImageInspectError", "InspectFailed"),
        (PULL, PullFailed("a"), "ErrImagePull", "Failed"),
        (PULL, ImageNotFound("a"), "ErrImagePull", "Failed"),
        (CREATE, ContainerConfigError("a"), "CreateContainerConfigError", "Failed"),
        (CREATE, BadRequest("a bad name"), "CreateContainerError", "Failed"),
        (CREATE, TimedOut("a"), "CreateContainerError", "Failed"),
        (START, EngineFault("500"), "RunContainerError", "Failed"),
        (START, EngineGone("a"), "ContainerCreating", ""),
    ],
)
def test_reasons(action: Action, error: Exception, reason: str, event: str) -> None:
    failure = failure_of(action, error)
    assert (failure.waiting.reason, failure.event) == (reason, event)
    assert failure.waiting.message.endswith(str(error))


async def test_an_image_that_is_a_url_is_the_containers_fault(bed: Bed) -> None:
    async with bed.running(pod(containers=(Container("app", "http://registry.example/app"),))):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "InvalidImageName"
        assert "invalid reference format" in state.message
        assert "InspectFailed" in bed.reporter.reasons()
        await bed.clock.advance(5)
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "InvalidImageName"
