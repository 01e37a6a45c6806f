"""Back-off, limits, names and hosts files: small rules with their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model import Container, Pod, PodUid, Resources
from agent.pods import backoff
from agent.pods.backoff import Backoff
from agent.pods.interface import PodsConfig
from agent.pods.names import identify, is_outdated, node_labels, sandbox_labels, spec_hash
from agent.pods.spec import container_spec, limits
from agent.runtime.containers import CgroupLimits, Device, Privileges
from agent.runtime.records import ContainerId

CONFIG = PodsConfig(cluster_id="c1", node_name="n1", state_dir=Path("/nowhere"), cgroup_parent="/n1")
APP = Container("app", "web:1")
POD = Pod(PodUid("u1"), "default", "web", (APP,))


def test_backoff_doubles_up_to_five_minutes() -> None:
    present: Backoff | None = None
    delays = []
    for _ in range(8):
        present = backoff.after_restart(present, failed_at=0, now=0)
        delays.append(present.delay_s)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(
    ("present", "failed_at", "now", "wait_s"),
    [
        (None, 100, 100, 0),
        (Backoff(10, 95), 100, 100, 10),
        (Backoff(10, 95), 100, 104, 6),
        (Backoff(10, 95), 100, 111, 0),
        (Backoff(300, 100), 701, 701, 0),
        (Backoff(10, 95), 100, 50, 10),
    ],
    ids=["first", "just ended", "while it waits", "over", "ran for ten minutes", "clock was set back"],
)
def test_backoff_wait(present: Backoff | None, failed_at: float, now: float, wait_s: float) -> None:
    assert backoff.wait_s(present, failed_at=failed_at, now=now) == wait_s


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(), CgroupLimits(cpu_shares=2)),
        (Resources(cpu_request_millis=500), CgroupLimits(cpu_shares=512)),
        (
            Resources(cpu_request_millis=250, cpu_limit_millis=250, memory_limit_bytes=1 << 20),
            CgroupLimits(cpu_shares=256, cpu_quota_us=25_000, cpu_period_us=100_000, memory_bytes=1 << 20),
        ),
        (Resources(memory_request_bytes=1 << 20), CgroupLimits(cpu_shares=2)),
        (Resources(cpu_request_millis=1_000_000), CgroupLimits(cpu_shares=262_144)),
        (Resources(cpu_limit_millis=1), CgroupLimits(cpu_shares=2, cpu_quota_us=1_000, cpu_period_us=100_000)),
    ],
)
def test_limits(resources: Resources, expected: CgroupLimits) -> None:
    assert limits(resources) == expected


def test_labels_read_back() -> None:
    labels = sandbox_labels(CONFIG, POD, 3, 12.5)
    identity = identify(labels)
    assert identity is not None
    assert (identity.uid, str(identity.ref), identity.container, identity.attempt) == ("u1", "default/web", "", 3)
    assert identity.started_at == 12.5
    assert node_labels(CONFIG).items() <= labels.items()
    assert identify({}) is None


@pytest.mark.parametrize(
    ("label", "outdated"), [(spec_hash(APP), False), ("1:other", True), ("2:other", False), ("", False)]
)
def test_outdated(label: str, outdated: bool) -> None:
    assert is_outdated({"io.sampan.spec": label}, APP) is outdated


def test_container_spec_expands_and_joins() -> None:
    container = Container("app", "web:1", command=("run", "$(A)"), args=("$(B)",))
    spec = container_spec(
        CONFIG,
        POD,
        container,
        attempt=2,
        sandbox=ContainerId("s"),
        sandbox_attempt=1,
        target=None,
        env={"A": "1"},
        mounts=(),
        devices=(Device("/dev/sdb", "/dev/xvda", "r"),),
        privileges=Privileges(user="5:6"),
    )
    assert (spec.entrypoint, spec.command, spec.env) == (("run", "1"), ("$(B)",), ("A=1",))
    assert (spec.name, spec.join, spec.privileges.user) == ("sampan_u1_app_2", "s", "5:6")
    assert spec.cgroup_parent == "/n1" and [device.target for device in spec.devices] == ["/dev/xvda"]
