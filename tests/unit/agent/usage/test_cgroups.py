"""Cgroup files of both versions: where a container's are, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.usage.cgroupfiles import CgroupFiles
from agent.usage.cgroups import Hierarchies, figures, hierarchies, place
from agent.usage.figures import Cgroup
from agent.usage.targets import ContainerTarget, PodTarget
from tests.unit.agent.usage.texts import APP, FILES_1, FILES_2, MOUNTS_1, MOUNTS_2, SANDBOX, Kernel

EXPECTED = Cgroup(
    cpu_ns=7_000_000_000,
    cpu_system_ns=2_000_000_000,
    periods=40,
    throttled_periods=3,
    throttled_ns=1_500_000_000,
    memory_bytes=10 << 20,
    working_set_bytes=8 << 20,
    rss_bytes=4 << 20,
    cache_bytes=6 << 20,
    mapped_bytes=1 << 20,
    swap_bytes=4096,
    faults=900,
    major_faults=9,
    threads=12,
    oom_kills=2,
)


def mounted(text: str) -> Hierarchies:
    return hierarchies(text.format(point="/sys/fs/cgroup").encode())


@pytest.mark.parametrize(("version", "files"), [(1, FILES_1), (2, FILES_2)], ids=["v1", "v2"])
def test_both_versions_give_the_same_figures(version: int, files: dict[str, str]) -> None:
    read = figures(version, {name.split("/")[-1]: text.encode() for name, text in files.items()})
    # Only version 1 counts single nanoseconds.
    assert Cgroup(**{**_fields(read), "cpu_ns": read.cpu_ns // 1000 * 1000}) == EXPECTED


def _fields(cgroup: Cgroup) -> dict[str, int]:
    return {name: getattr(cgroup, name) for name in Cgroup.__slots__}


@pytest.mark.parametrize("version", [1, 2])
def test_missing_and_odd_files_are_zero(version: int) -> None:
    assert figures(version, {}) == Cgroup()
    assert figures(version, {"memory.stat": b"total_rss\n\nanon x\n", "pids.current": b"max\n"}) == Cgroup()


def test_the_working_set_is_never_negative() -> None:
    texts = {"memory.current": b"100\n", "memory.stat": b"inactive_file 4096\n"}
    assert figures(2, texts).working_set_bytes == 0


V1 = f"4:memory:/docker/{APP}\n2:cpu,cpuacct:/docker/{APP}\n"


@pytest.mark.parametrize(
    ("mounts", "member", "directory"),
    [
        pytest.param(MOUNTS_1, V1, f"/sys/fs/cgroup/memory/docker/{APP}", id="v1"),
        pytest.param(
            MOUNTS_1,
            f"4:memory:/docker/{APP}/inner/more\n",
            f"/sys/fs/cgroup/memory/docker/{APP}",
            id="a cgroup that the container made",
        ),
        pytest.param(
            MOUNTS_2,
            f"0::/system.slice/docker-{APP}.scope\n",
            f"/sys/fs/cgroup/system.slice/docker-{APP}.scope",
            id="v2 by systemd",
        ),
        pytest.param(
            MOUNTS_2,
            f"0::/system.slice/docker-{APP}.scope/init\n",
            f"/sys/fs/cgroup/system.slice/docker-{APP}.scope",
            id="v2, engine inside",
        ),
        pytest.param(MOUNTS_2, f"0::/docker/{SANDBOX}\n", "", id="the pid is another process by now"),
        pytest.param(MOUNTS_2, V1, "", id="memberships of a version that is not mounted"),
        pytest.param(
            "35 31 0:32 /docker/outer /c/memory rw - cgroup cgroup rw,memory\n",
            f"4:memory:/docker/outer/docker/{APP}\n",
            f"/c/memory/docker/{APP}",
            id="this agent in a container",
        ),
        pytest.param(
            "35 31 0:32 /docker/outer /c/memory rw - cgroup cgroup rw,memory\n",
            f"4:memory:/docker/{APP}\n",
            "",
            id="a cgroup outside of what is mounted",
        ),
        pytest.param(
            "35 31 0:32 / /with\\040blank rw - cgroup2 cgroup2 rw\n",
            f"0::/docker/{APP}\n",
            f"/with blank/docker/{APP}",
            id="a mount point with a blank",
        ),
    ],
)
def test_the_place_of_a_container(mounts: str, member: str, directory: str) -> None:
    found = place(mounted(mounts), member.encode(), APP)
    assert (found.directories["memory" if found.version == 1 else ""] if found else "") == directory


def test_containers_of_a_pod_are_beside_each_other() -> None:
    found = place(mounted(MOUNTS_2), f"0::/system.slice/docker-{SANDBOX}.scope\n".encode(), SANDBOX)
    assert found is not None
    assert found.sibling(APP).path == f"/system.slice/docker-{APP}.scope"
    assert found.sibling(APP).directories == {"": f"/sys/fs/cgroup/system.slice/docker-{APP}.scope"}


def pod(**changes: int) -> tuple[PodTarget, ...]:
    sandbox = ContainerTarget("", SANDBOX, "pause", "pause:1", changes.get("sandbox", 100))
    app = ContainerTarget("app", APP, "app", "web:1", changes.get("app", 0))
    return (PodTarget("u1", "default", "web", 0.0, sandbox=sandbox, containers=(app,)),)


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> Kernel:
    made = Kernel(tmp_path, request.param)
    made.start(SANDBOX, 100)
    made.start(APP)
    return made


def reader(kernel: Kernel) -> CgroupFiles:
    return CgroupFiles(lambda: 5.0, proc=kernel.proc)


def test_a_container_without_a_known_process_is_found_by_its_sandbox(kernel: Kernel) -> None:
    used = reader(kernel).read(pod())
    assert used.keys() == {SANDBOX, APP}
    assert (used[APP].cgroup.working_set_bytes, used[APP].at, used[APP].target.name) == (8 << 20, 5.0, "app")
    assert APP in used[APP].path and SANDBOX not in used[APP].path


def test_a_container_that_is_found_needs_its_process_no_more(kernel: Kernel) -> None:
    files = reader(kernel)
    files.read(pod())
    (kernel.proc / "100" / "cgroup").unlink()
    assert files.read(pod()).keys() == {SANDBOX, APP}


def test_a_container_that_has_ended_is_not_measured_and_is_forgotten(kernel: Kernel) -> None:
    files = reader(kernel)
    assert files.read(pod()) and files.process(SANDBOX) == 100
    kernel.end(APP)
    assert files.read(pod()).keys() == {SANDBOX}
    assert files.read(()) == {} and files.process(SANDBOX) == 0


def test_a_process_id_that_another_process_got_is_not_followed(kernel: Kernel) -> None:
    kernel.start("b" * 64, 100)
    assert reader(kernel).read(pod()) == {}


def test_nothing_is_measured_while_no_process_is_known(kernel: Kernel) -> None:
    assert reader(kernel).read(pod(sandbox=0)) == {}
    assert reader(kernel).read(pod(sandbox=4711)) == {}
