"""The usages of pods as a heartbeat has them."""

from __future__ import annotations

from agent.session.usages import usages_to_proto
from agent.usage.figures import Cgroup, ContainerUsage, PodUsage, Snapshot
from agent.usage.targets import ContainerTarget, PodTarget
from proto import contract
from proto.gen import observed_pb2


def used(name: str, nano_cores: int | None = 5) -> ContainerUsage:
    target = ContainerTarget(name, name, name, "web:1")
    return ContainerUsage(target, 1.0, Cgroup(working_set_bytes=6), cpu_nano_cores=nano_cores, window_s=9.5)


def pod(uid: str, *containers: ContainerUsage, running: int | None = None) -> PodUsage:
    targets = tuple(container.target for container in containers)
    more = (ContainerTarget("more", "more", "more", "web:1"),) * ((running or len(targets)) - len(targets))
    return PodUsage(PodTarget(uid, "default", uid, 0.0, containers=(*targets, *more)), containers=containers)


def uids(*pods: PodUsage) -> list[str]:
    return [sent.uid for sent in usages_to_proto(Snapshot(pods=pods), 0.0).pods]


def test_a_pods_containers_are_sent_with_the_age_of_the_measurement() -> None:
    message = usages_to_proto(Snapshot(taken_at=50.0, pods=(pod("a", used("x"), used("y", 0)),)), 52.5)
    assert message == observed_pb2.PodUsages(
        age_ms=2500,
        pods=[
            observed_pb2.PodUsage(
                uid="a",
                containers=[
                    observed_pb2.ContainerUsage(name="x", cpu_nano_cores=5, memory_bytes=6, window_ms=9500),
                    observed_pb2.ContainerUsage(name="y", cpu_nano_cores=0, memory_bytes=6, window_ms=9500),
                ],
            )
        ],
    )


def test_a_pod_is_left_out_until_all_of_its_containers_were_measured() -> None:
    waiting = (pod("a", used("x"), used("y", None)), pod("b", used("x"), running=2), pod("c"))
    assert uids(*waiting, pod("d", used("x"))) == ["d"]


def test_no_more_is_sent_than_the_master_accepts() -> None:
    assert len(uids(*[pod("a", used("x"))] * (contract.MAX_REPORTED + 1))) == contract.MAX_REPORTED
    large = pod("a", *[used(str(number)) for number in range(contract.MAX_MEASURED // 2)])
    assert len(uids(large, large, large)) == 2
