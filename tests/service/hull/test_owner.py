"""Names that contain their owner: this process, an ended process, an ended process whose pid is in use again."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hull import owner
from hull.errors import Busy
from hull.owner import OwnedNames
from hull.processes import ProcessRecord, record_of
from lab.layout import Layout

BEDS = OwnedNames("bed")
WITH_PARTS = OwnedNames("topo", parts=True)


def test_a_name_contains_the_process_that_made_it() -> None:
    first, second = BEDS.new(), BEDS.new()
    assert first != second
    assert BEDS.owner_of(first) == record_of(os.getpid())


def test_the_names_of_parts_have_the_owner_of_the_whole() -> None:
    assert WITH_PARTS.owner_of(f"{WITH_PARTS.new()}-left-hand") == record_of(os.getpid())
    assert WITH_PARTS.owner_of(WITH_PARTS.new()) is None


@pytest.mark.parametrize("name", ["bed-1-2", "bed-1-2-x", "bed-1-2-3-part", "bed-build-12", "other-1-2-3", "Bed-1-2-3"])
def test_names_of_other_sorts_have_no_owner(name: str) -> None:
    assert BEDS.owner_of(name) is None


def test_only_names_whose_owner_has_ended_are_reported() -> None:
    here = record_of(os.getpid())
    assert here
    with subprocess.Popen(["true"]) as ended:
        pass
    mine, gone = BEDS.new(), f"bed-{owner._base36(ended.pid)}-1-1"
    same_pid = f"bed-{owner._base36(here.pid)}-{owner._base36(here.started - 1)}-1"
    assert BEDS.ended([mine, gone, "other-project", same_pid]) == (gone, same_pid)


def test_the_longest_name_is_a_valid_lab_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest pid, a year and a half after boot."""
    monkeypatch.setattr(owner, "record_of", lambda pid: ProcessRecord(2**22, 100 * 86_400 * 540))
    assert Layout(OwnedNames("test").new())


TRY = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'a'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def test_one_process_sweeps_at_a_time_and_may_take_the_lock_again(tmp_path: Path) -> None:
    def another_gets_in() -> bool:
        return subprocess.run([sys.executable, "-c", TRY, tmp_path / "lock"], stderr=subprocess.DEVNULL).returncode == 0

    with owner.sweeping(tmp_path / "lock"):
        assert not another_gets_in()
        with owner.sweeping(tmp_path / "lock"):
            assert not another_gets_in()
    assert another_gets_in()


def test_waiting_too_long_for_another_sweep_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(handle: object, how: int) -> None:
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "lockf", taken)
    monkeypatch.setattr(owner, "_PATIENCE_S", 0.0)
    with pytest.raises(Busy, match="another process"), owner.sweeping(tmp_path / "lock"):
        raise AssertionError("not reached")
