"""OOM scores by the kubelet's formula, on a machine with 1000 MiB."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import ClusterDns, Container, Pod, Resources, RestartPolicy
from agent.pods.interface import HostSecurity, PodsConfig
from agent.pods.oomscores import score_of
from agent.pods.spec import sandbox_spec
from tests.unit.agent.pods.bed import pod

MIB = 1 << 20
NONE = Resources()
LIMITED = Resources(cpu_request_millis=100, cpu_limit_millis=100, memory_request_bytes=MIB, memory_limit_bytes=MIB)


def web(*resources: Resources, **more: object) -> Pod:
    containers = tuple(Container(f"c{number}", "web:1", resources=each) for number, each in enumerate(resources))
    return pod(containers=containers, **more)


def scores(web: Pod) -> list[int]:
    return [score_of(web, each, memory_bytes=1000 * MIB) for each in (*web.init_containers, *web.containers)]


def requests(mib: int) -> Resources:
    return Resources(memory_request_bytes=mib * MIB)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param([NONE, NONE], [1000, 1000], id="BestEffort"),
        pytest.param([LIMITED, LIMITED], [-997, -997], id="Guaranteed"),
        pytest.param([LIMITED, NONE], [999, 999], id="one without limits"),
        pytest.param([requests(250), requests(1)], [750, 999], id="Burstable"),
        pytest.param([requests(999)], [3], id="nearly all of the memory"),
        pytest.param([replace(LIMITED, memory_request_bytes=1)], [999], id="a request below the limit"),
        pytest.param([Resources(cpu_request_millis=1)], [999], id="only CPU"),
        pytest.param([Resources(ephemeral_storage_limit_bytes=1)], [1000], id="a disk does not count"),
    ],
)
def test_scores(resources: list[Resources], expected: list[int]) -> None:
    assert scores(web(*resources)) == expected


def test_a_sidecar_is_not_killed_before_the_containers() -> None:
    side = Container("side", "web:1", resources=requests(10), restart_policy=RestartPolicy.ALWAYS)
    setup = Container("setup", "web:1", resources=requests(10))
    assert scores(web(requests(300), init_containers=(side, setup))) == [700, 990, 700]


@pytest.mark.parametrize(("lowers", "expected"), [(True, -998), (False, 0)])
def test_a_negative_score_that_the_kernel_refuses_is_zero(lowers: bool, expected: int) -> None:
    security = HostSecurity(lowers_oom_scores=lowers)
    config = PodsConfig(cluster_id="c1", node_name="n1", state_dir=Path("/nowhere"), security=security)
    assert sandbox_spec(config, pod(), ClusterDns(), attempt=0, started_at=0.0).oom_score_adj == expected
