"""The record of a lab: round trips, concurrent changes, unreadable files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from hull.errors import Busy
from hull.processes import ProcessRecord
from lab import state as lab_state
from lab.errors import LabError, NotFound
from lab.layout import Layout
from lab.state import HostState, LabState, StateFile, command_lock


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr("lab.layout.CACHE_ROOT", tmp_path / "cache")
    monkeypatch.setattr(lab_state, "require_root", lambda: None)
    return Layout("x", labs_root=tmp_path / "labs")


def example() -> LabState:
    agent = HostState("node1", "node", IPv4Address("10.77.3.11"), cut=True, processes={"agent": ProcessRecord(7, 99)})
    master = HostState("master", "master", IPv4Address("10.77.3.10"))
    return LabState("x", IPv4Network("10.77.3.0/24"), (master, agent), ProcessRecord(5, 6))


def test_a_saved_state_is_loaded_unchanged(layout: Layout) -> None:
    StateFile(layout).save(example())
    assert StateFile(layout).load() == example()
    assert example().master.name == "master"
    assert [host.name for host in example().nodes] == ["node1"]


def test_without_a_file_the_lab_does_not_exist(layout: Layout) -> None:
    with pytest.raises(NotFound, match="no lab x"):
        StateFile(layout).load()


@pytest.mark.parametrize("text", ["", "{}", '{"version": 99}', "[]"])
def test_an_unreadable_file_is_refused_with_a_remedy(layout: Layout, text: str) -> None:
    layout.directory.mkdir(parents=True)
    layout.state_file.write_text(text)
    with pytest.raises(LabError, match="sampan down"):
        StateFile(layout).load()


def test_concurrent_changes_are_all_kept(layout: Layout) -> None:
    file = StateFile(layout)
    file.save(example())

    def add(number: int) -> None:
        file.update_host("node1", lambda host: host.with_process(f"p{number}", ProcessRecord(number, number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(20)))
    assert len(file.load().host("node1").processes) == 21


def test_the_error_about_an_unknown_host_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r'no host "node9" \(it has master, node1\)'):
        example().host("node9")


def test_one_command_at_a_time(layout: Layout) -> None:
    with command_lock(layout), pytest.raises(Busy, match="another command"), command_lock(layout):
        pytest.fail("two commands hold the lock")
    with command_lock(layout):
        pass
