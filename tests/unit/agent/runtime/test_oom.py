"""Out-of-memory kills, read from the kernel's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.runtime.oom import OomKills

A, B = "a" * 64, "b" * 64


def line(cgroup: str, constraint: str = "CONSTRAINT_MEMCG") -> str:
    """A record of /dev/kmsg as mm/oom_kill.c writes it."""
    return (
        f"6,1204,98123456,-;oom-kill:constraint={constraint},nodemask=(null),cpuset=x,mems_allowed=0,"
        f"oom_memcg={cgroup},task_memcg={cgroup},task=tail,pid=4711,uid=0\n"
    )


@pytest.mark.parametrize("cgroup", [f"/docker/{A}", f"/sampan/node1/{A}", f"/system.slice/docker-{A}.scope"])
def test_a_container_at_its_limit_is_known_under_either_cgroup_driver(tmp_path: Path, cgroup: str) -> None:
    log = tmp_path / "kmsg"
    log.write_text("6,1,1,-;Linux version 6.18\n" + line(cgroup) + "4,9,9,-;other\n")
    kills = OomKills(log)
    assert kills.has(A)
    assert not kills.has(B)
    kills.close()


def test_later_lines_are_read_later(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.touch()
    kills = OomKills(log)
    assert not kills.has(A)
    log.write_text(line(f"/docker/{A}"))
    assert kills.has(A)
    kills.close()
    assert kills.has(A)


def test_a_host_out_of_memory_is_not_the_containers_limit(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text(line(f"/docker/{A}", "CONSTRAINT_NONE"))
    kills = OomKills(log)
    assert not kills.has(A)
    kills.close()


def test_without_the_log_nothing_is_known(tmp_path: Path) -> None:
    kills = OomKills(tmp_path / "none")
    assert not kills.has(A)
    kills.close()
