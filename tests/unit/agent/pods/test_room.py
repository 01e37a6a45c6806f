"""A pod for which the node has no room is refused by the node itself; the older pods stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.amounts import Amount, requests_of
from agent.model import Container, Pod, PodPhase, PodUid, Resources, RestartPolicy
from agent.pods.room import without_room
from agent.statuses import Capacity
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, Bed, desired, pod

GIB = 1 << 30
NODE = Capacity(cpu_millis=1000, memory_bytes=GIB, pods=3, ephemeral_storage_bytes=GIB)


def container(cpu: int = 0, memory: int = 0, disk: int = 0, *, policy: RestartPolicy | None = None) -> Container:
    resources = Resources(cpu_request_millis=cpu, memory_request_bytes=memory, ephemeral_storage_request_bytes=disk)
    return Container("app", IMAGE, resources=resources, restart_policy=policy)


def numbered(number: int, *containers: Container, **changes: object) -> Pod:
    """A pod whose number is its age: those with a smaller one are older."""
    changes = {"uid": PodUid(f"u{number}"), "name": f"web-{number}", "created_at": 100.0 + number} | changes
    return replace(pod(containers=containers or (container(),)), **changes)  # type: ignore[arg-type]


def test_init_containers_run_beside_the_sidecars_before_them_and_before_the_containers() -> None:
    side, init = container(300, policy=RestartPolicy.ALWAYS), container(500)
    assert requests_of(pod(containers=(container(100), container(200)))) == Amount(300)
    assert requests_of(pod(containers=(container(100),), init_containers=(init,))) == Amount(500)
    web = pod(containers=(container(100),), init_containers=(replace(side, name="s"), replace(init, name="i")))
    assert requests_of(web) == Amount(800)
    web = pod(containers=(container(600),), init_containers=(replace(init, name="i"), replace(side, name="s")))
    assert requests_of(web) == Amount(900)


@pytest.mark.parametrize(
    ("pods", "refused"),
    [
        pytest.param([numbered(1, container(600)), numbered(2, container(400))], {}, id="all fit"),
        pytest.param(
            [numbered(2, container(600)), numbered(1, container(600)), numbered(3, container(400))],
            {"u2": "OutOfcpu"},
            id="the younger one does not, a still younger and smaller one does",
        ),
        pytest.param(
            [numbered(1, container(memory=GIB)), numbered(2, container(memory=1))], {"u2": "OutOfmemory"}, id="memory"
        ),
        pytest.param(
            [numbered(1, container(disk=GIB)), numbered(2, container(disk=1))],
            {"u2": "OutOfephemeral-storage"},
            id="disk",
        ),
        pytest.param([numbered(1, container(memory=GIB)), numbered(2)], {}, id="a pod without requests"),
        pytest.param([numbered(number) for number in range(1, 5)], {"u4": "OutOfpods"}, id="too many pods"),
        pytest.param(
            [numbered(1, container(1000), ended_phase=PodPhase.SUCCEEDED), numbered(2, container(1000))],
            {},
            id="a pod that has ended",
        ),
    ],
)
def test_which_pods_have_no_room(pods: list[Pod], refused: dict[str, str]) -> None:
    assert {uid: refusal.reason for uid, refusal in without_room(pods, NODE).items()} == refused


async def test_a_pod_without_room_has_failed_whatever_happens_later_and_the_other_one_runs(bed: Bed) -> None:
    bed.config = replace(bed.config, node=NODE)
    first, second = numbered(1, container(700)), numbered(2, container(700))
    async with bed.running(first, second) as manager:
        assert bed.ready(first.uid)
        status = bed.reporter.statuses[second.uid]
        text = "Node didn't have enough resource: cpu, requested: 700, used: 700, capacity: 1000"
        assert (status.phase, status.reason) == (PodPhase.FAILED, "OutOfcpu")
        assert status.message == f"Pod was rejected: {text}"
        (event,) = [event for event in bed.reporter.events if event.reason == "OutOfcpu"]
        assert event.message == text and event.warning
        await manager.apply(desired(second), complete=True)
        await bed.clock.advance(60)
        assert bed.reporter.statuses[second.uid].phase is PodPhase.FAILED


async def test_a_pod_that_runs_already_is_not_judged_again(bed: Bed) -> None:
    web = numbered(1, container(700))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
    bed.config = replace(bed.config, node=replace(NODE, cpu_millis=100))
    async with bed.running(web):
        assert bed.ready(web.uid)
