"""What people read about a container's start, in the words of the kubelet."""

from __future__ import annotations

import pytest

from agent.model import Container, EnvVar, KeyRef
from agent.runtime.errors import StartRefused
from agent.runtime.records import ContainerId
from agent.statuses import Waiting
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, pod


def told(bed: Bed, *reasons: str) -> list[tuple[bool, str, str]]:
    return [(each.warning, each.reason, each.message) for each in bed.reporter.events if each.reason in reasons]


async def test_a_container_that_starts(bed: Bed) -> None:
    async with bed.running(pod()):
        texts = [(False, "Created", "Container created"), (False, "Started", "Container started")]
        assert told(bed, "Created", "Started") == texts


async def test_a_container_that_cannot_be_created(bed: Bed) -> None:
    variable = EnvVar("K", config_map_key=KeyRef("c", "k"))
    async with bed.running(pod(containers=(Container("app", IMAGE, env=(variable,)),))):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert told(bed, "Failed") == [(True, "Failed", f"Error: {state.message}")]


async def test_a_container_whose_process_cannot_be_started(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    start = bed.engine.start

    async def refuse(container: ContainerId) -> None:
        if "app" in bed.engine.records[container].name:
            bed.engine.fail_next("start", StartRefused('exec: "none": executable file not found in $PATH'))
        await start(container)

    monkeypatch.setattr(bed.engine, "start", refuse)
    async with bed.running(pod()):
        text = 'Error: exec: "none": executable file not found in $PATH'
        assert told(bed, "Failed") == [(True, "Failed", text)] * 2, "the first restart comes at once"


async def test_a_container_that_crashes_again(bed: Bed) -> None:
    async with bed.running(pod()):
        for _ in range(2):
            bed.engine.end(bed.engine.named("app")[-1].name, 1)
            await bed.clock.advance(1)
        text = f"Back-off restarting failed container app in pod web_default({UID})"
        assert told(bed, "BackOff") == [(True, "BackOff", text)]
