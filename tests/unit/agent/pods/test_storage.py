"""Limits of local storage: which one is exceeded, and a pod that is evicted because of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Container, EmptyDir, Pod, PodPhase, Resources, RestartPolicy, Volume
from agent.pods.storage import excess, is_limited, size
from agent.pods.verdict import CRITICAL_PRIORITY
from agent.statuses import Running, Terminated
from agent.usage.written import Written
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

MIB = 1 << 20
SCRATCH = Volume("scratch", EmptyDir(size_limit_bytes=MIB))
TOO_MUCH = Written({}, {"scratch": MIB + 4096}, 0)
VOLUME_MESSAGE = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '


def limited(name: str, mib: int, *, policy: RestartPolicy | None = None) -> Container:
    return Container(name, IMAGE, resources=Resources(ephemeral_storage_limit_bytes=mib * MIB), restart_policy=policy)


@pytest.mark.parametrize(
    ("web", "written", "message"),
    [
        pytest.param(pod(volumes=(SCRATCH,)), TOO_MUCH, VOLUME_MESSAGE, id="a volume"),
        pytest.param(pod(volumes=(SCRATCH,)), Written({}, {"scratch": MIB}, MIB), "", id="exactly the limit"),
        pytest.param(pod(volumes=(SCRATCH,)), Written({}, {}, 0), "", id="not measured"),
        pytest.param(pod(volumes=(Volume("scratch", EmptyDir()),)), TOO_MUCH, "", id="a volume without a limit"),
        pytest.param(
            pod(containers=(limited("app", 1), limited("log", 9))),
            Written({"app": MIB + 1, "log": 0}, {}, MIB + 1),
            'Container app exceeded its local ephemeral storage limit "1Mi". ',
            id="a container",
        ),
        pytest.param(
            pod(containers=(limited("app", 1), Container("log", IMAGE))),
            Written({"app": 0, "log": MIB + 1}, {}, MIB + 1),
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ",
            id="a container without a limit, in a pod with one",
        ),
        pytest.param(
            pod(containers=(limited("app", 1), limited("log", 2)), volumes=(Volume("v", EmptyDir()),)),
            Written({"app": MIB, "log": MIB}, {"v": 2 * MIB}, 4 * MIB),
            "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ",
            id="volumes count for the pod",
        ),
        pytest.param(
            pod(init_containers=(limited("setup", 5),), containers=(limited("app", 1),)),
            Written({"setup": 4 * MIB}, {}, 4 * MIB),
            "",
            id="an init container may use its own limit",
        ),
        pytest.param(
            pod(volumes=(SCRATCH,), priority=CRITICAL_PRIORITY), TOO_MUCH, "", id="a pod that the cluster needs"
        ),
    ],
)
def test_which_limit_is_exceeded(web: Pod, written: Written, message: str) -> None:
    assert excess(web, written) == message


def test_only_pods_with_limits_need_to_be_measured() -> None:
    assert is_limited(pod(volumes=(SCRATCH,))) and is_limited(pod(containers=(limited("app", 1),)))
    assert not is_limited(pod(volumes=(Volume("scratch", EmptyDir()),)))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (MIB, "1Mi"),
        (1000 * MIB, "1000Mi"),
        (3 << 30, "3Gi"),
        (2_000_000_000, "2G"),
        (1_500_000, "1500k"),
        (8_053_063_680, "7680Mi"),
        (1023, "1023"),
    ],
)
def test_a_size_has_the_largest_unit(number: int, text: str) -> None:
    assert size(number) == text


async def test_a_pod_that_writes_too_much_is_evicted_and_stays_so(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    web = pod(volumes=(SCRATCH,), grace_period_s=600)
    async with bed.running(web) as manager:
        manager.take_written({UID: replace(TOO_MUCH, volumes={"scratch": MIB})})
        await settle()
        assert bed.ready()
        manager.take_written({UID: TOO_MUCH})
        await settle()
        manager.take_written({UID: TOO_MUCH})
        await bed.clock.advance(0.5)
        (event,) = [event for event in bed.reporter.events if event.reason == "Evicted"]
        assert event.warning and event.message == VOLUME_MESSAGE
        assert isinstance(bed.state(), Running) and bed.reporter.statuses[UID].phase is PodPhase.RUNNING
        await bed.clock.advance(0.6)
        assert [record.exit_code for record in bed.engine.named("")] == [137]
    for complete in (True, False):
        bed.reporter = FakeReporter()
        async with bed.manager() as manager:
            await manager.apply(desired(web), complete=complete)
            await bed.clock.advance(1000)
            status = bed.reporter.statuses[UID]
            assert (status.phase, status.reason, status.message) == (PodPhase.FAILED, "Evicted", VOLUME_MESSAGE)
            assert isinstance(bed.state(), Terminated)
            assert [record.running for record in bed.engine.named("")] == [False]
            assert bed.reporter.events == []


async def test_a_deletion_does_not_lengthen_an_eviction(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    web = pod(volumes=(SCRATCH,), grace_period_s=600)
    async with bed.running(web) as manager:
        manager.take_written({UID: TOO_MUCH})
        await settle()
        await manager.apply(desired(replace(web, deletion_at=bed.clock.wall())), complete=True)
        await bed.clock.advance(1.1)
        assert bed.reporter.gone == [UID]


@pytest.mark.parametrize("how", ["deleted", "ended"])
async def test_a_pod_that_ends_anyway_is_not_evicted(bed: Bed, how: str) -> None:
    web = pod(volumes=(SCRATCH,), restart_policy=RestartPolicy.NEVER)
    async with bed.running(web) as manager:
        if how == "deleted":
            bed.engine.ignores_term.add("sampan_u1_app")
            await manager.apply(desired(replace(web, deletion_at=bed.clock.wall())), complete=True)
        else:
            bed.engine.end("sampan_u1_app_0", 0)
        await settle()
        manager.take_written({UID: TOO_MUCH})
        await bed.clock.advance(100)
        assert "Evicted" not in {*bed.reporter.reasons(), *(status.reason for status in bed.reporter.history)}


@pytest.mark.parametrize("how", ["evicted", "ended"])
async def test_a_pod_that_has_ended_keeps_its_containers_and_no_volumes(bed: Bed, how: str) -> None:
    volumes = bed.config.state_dir / "pods" / UID / "volumes"
    web = pod(volumes=(SCRATCH,), restart_policy=RestartPolicy.NEVER)
    async with bed.running(web) as manager:
        (volumes / "scratch" / "file").write_text("x" * 5000)
        if how == "evicted":
            manager.take_written({UID: TOO_MUCH})
        else:
            bed.engine.end("sampan_u1_app_0", 0)
        await bed.clock.advance(5)
        assert not volumes.exists() and len(bed.engine.named("app")) == 1
    for _ in range(2):
        async with bed.running(web):
            await bed.clock.advance(5)
            assert not volumes.exists() and isinstance(bed.state(), Terminated)
