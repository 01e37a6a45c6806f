"""How long a daemon waits before it starts again, by what became of its earlier lives."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from hull.restarts import LASTED_S, WAITS_S, counted


class Lives:
    """Lives of one service, at times of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.environment: Mapping[str, str] = {"RUNTIME_DIRECTORY": str(directory)}
        self.time = 1000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    def live(self, lasting_s: float, end: BaseException | None = None) -> float:
        """How long it waited before it lived."""
        self.waits.clear()
        try:
            with counted("sampan-agent", self.environment, now=lambda: self.time, sleep=self.sleep):
                self.time += lasting_s
                if end is not None:
                    raise end
        except (OSError, SystemExit):
            pass
        self.time += 1  # RestartSec
        return sum(self.waits)


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    (tmp_path / "sampan-agent").mkdir()
    return Lives(tmp_path / "sampan-agent")


def test_who_fails_once_starts_at_once_who_fails_on_waits_longer_each_time(lives: Lives) -> None:
    waits = [lives.live(0.5, OSError("no such address")) for _ in range(12)]
    assert waits[:2] == [0, 0], "a process that was killed is back within a second"
    assert waits == sorted(waits) and waits[: len(WAITS_S)] == list(WAITS_S) and waits[-1] == 30


def test_a_crash_after_a_long_life_is_the_first_one(lives: Lives) -> None:
    for _ in range(9):
        lives.live(0.5, OSError())
    assert lives.live(LASTED_S, OSError()) > 0
    assert [lives.live(LASTED_S, OSError()) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("end", [None, SystemExit(0), SystemExit(None)], ids=["returns", "exit 0", "exit"])
def test_who_ended_as_told_has_not_failed(lives: Lives, end: SystemExit | None) -> None:
    for _ in range(5):
        lives.live(0.5, OSError())
    lives.live(0.5, end)
    assert [lives.live(0.5, OSError()) for _ in range(3)] == [0, 0, 1]


def test_who_waits_and_is_told_to_stop_ends_and_all_is_forgotten(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        lives.live(0.5, OSError())
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(lives, "sleep", lambda seconds: os.kill(os.getpid(), signal.SIGTERM))
        with (
            pytest.raises(SystemExit) as ended,
            counted("sampan-agent", lives.environment, now=lambda: lives.time, sleep=lives.sleep),
        ):
            raise AssertionError("it lives nevertheless")
    assert ended.value.code == 0 and signal.getsignal(signal.SIGTERM) == before
    assert lives.live(0.5) == 0


@pytest.mark.parametrize("text", ["", "many", "1", "1 2 3", "x y"])
def test_a_file_that_cannot_be_read_counts_nothing(lives: Lives, tmp_path: Path, text: str) -> None:
    (tmp_path / "sampan-agent/failures").write_text(text)
    assert lives.live(0.5) == 0


@pytest.mark.parametrize("name", ["", "runner"])
def test_without_a_runtime_directory_of_its_own_nothing_is_counted(lives: Lives, tmp_path: Path, name: str) -> None:
    """A lab's daemons inherit that of the service in which the lab was started."""
    (tmp_path / "runner").mkdir()
    lives.environment = {"RUNTIME_DIRECTORY": str(tmp_path / name)} if name else {}
    assert [lives.live(0.5, OSError()) for _ in range(4)] == [0, 0, 0, 0]
    assert not any(path.name == "failures" for path in tmp_path.rglob("*"))
