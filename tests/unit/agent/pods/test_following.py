"""Events that are lost, and an engine that is stuck at one container: lists find everything, and nobody else waits."""

from __future__ import annotations

import asyncio

import pytest

from agent.model import PodUid
from agent.pods.following import LIST_S
from agent.pods.names import node_labels
from agent.runtime.containers import ContainerSpec
from agent.runtime.errors import EngineFault
from agent.statuses import Running
from proto.contract import Labels
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

OTHER = PodUid("u2")
APP = "sampan_u1_app_0"


async def test_an_end_whose_event_was_lost_is_found_by_the_list(bed: Bed) -> None:
    async with bed.running(pod()):
        bed.engine.loses_events = True
        bed.engine.end(APP, 1)
        await bed.clock.advance(LIST_S / 2)
        assert isinstance(bed.state(), Running), "the agent cannot know it yet"
        await bed.clock.advance(LIST_S / 2)
        assert bed.reporter.statuses[UID].containers[0].restart_count == 1


async def test_a_removal_whose_event_was_lost_is_found_by_the_list(bed: Bed) -> None:
    async with bed.running(pod()):
        del bed.engine.records[bed.engine.named("app_0")[0].id]
        await bed.clock.advance(LIST_S)
        assert [record.running for record in bed.engine.named("app")] == [True]


async def test_a_start_by_hand_whose_event_was_lost_is_found_by_the_list(bed: Bed) -> None:
    async with bed.running(pod(restart_policy="Never")):
        bed.engine.end(APP, 1)
        await settle()
        bed.engine.loses_events = True
        bed.engine.revive(APP)
        await bed.clock.advance(LIST_S)
        assert not bed.engine.named("app_0")[0].running, "what has ended must not run on"


async def test_a_container_whose_creation_was_lost_is_found_by_the_list(bed: Bed) -> None:
    """Another agent's call was still in progress when that agent was killed."""
    async with bed.running():
        bed.engine.loses_events = True
        labels = {**node_labels(bed.config), Labels.POD_UID: OTHER}
        await bed.engine.create(ContainerSpec("sampan_u2_app_0", IMAGE, labels))
        bed.engine.loses_events = False
        await bed.clock.advance(LIST_S + 10)
        assert bed.engine.named("u2") == []


async def test_the_list_asks_about_no_container_if_nothing_was_lost(bed: Bed) -> None:
    async with bed.running(pod()):
        bed.engine.calls.clear()
        await bed.clock.advance(3 * LIST_S)
        assert bed.engine.calls == [("overview", "")] * 3


async def test_a_list_that_fails_is_tried_again(bed: Bed) -> None:
    async with bed.running(pod()):
        bed.engine.loses_events = True
        bed.engine.end(APP, 1)
        bed.engine.fail_next("overview", EngineFault("500"))
        await bed.clock.advance(LIST_S)
        assert isinstance(bed.state(), Running)
        await bed.clock.advance(LIST_S)
        assert bed.reporter.statuses[UID].containers[0].restart_count == 1


async def test_events_are_taken_while_a_question_about_an_unknown_container_hangs(bed: Bed) -> None:
    async with bed.running(pod()):
        labels = {**node_labels(bed.config), Labels.POD_UID: OTHER}
        unknown = await bed.engine.create(ContainerSpec("sampan_u2_app_0", IMAGE, labels))
        freed = bed.engine.stick(f"inspect {unknown}")
        await settle()
        bed.engine.end(APP, 1)
        await settle()
        restarts = bed.reporter.statuses[UID].containers[0].restart_count
        assert restarts == 1, "the event behind the unknown container must arrive"
        await bed.engine.start(unknown)
        freed.set()
        await bed.clock.advance(10)
        assert bed.engine.named("u2") == []


@pytest.mark.parametrize("call", ["start", "create", "inspect"])
async def test_a_call_that_hangs_for_one_pod_does_not_keep_others_waiting(bed: Bed, call: str) -> None:
    other = pod(uid=OTHER, name="other")
    async with bed.running(other) as manager:
        freed = bed.engine.stick(call)
        await manager.apply(desired(other, pod()), complete=True)
        await settle()
        bed.engine.unstick(call)
        third = pod(uid=PodUid("u3"), name="third")
        await manager.apply(desired(other, pod(), third), complete=True)
        await settle()
        assert bed.ready(PodUid("u3")) and bed.ready(OTHER)
        freed.set()
        await asyncio.sleep(0)
