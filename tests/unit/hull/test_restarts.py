"""How long a daemon waits before it starts, by how its earlier runs ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from hull.restarts import LASTED_S, WAITS_S, counted


class Service:
    """Runs of one service, by the test's own clock."""

    def __init__(self, directory: Path) -> None:
        self.environment: Mapping[str, str] = {"RUNTIME_DIRECTORY": str(directory)}
        self.time = 1000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    def run(self, lasting_s: float, end: BaseException | None = None) -> float:
        """Run once; the seconds that it waited before."""
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
def service(tmp_path: Path) -> Service:
    (tmp_path / "sampan-agent").mkdir()
    return Service(tmp_path / "sampan-agent")


def test_a_single_failure_costs_no_wait_and_each_further_one_a_longer_wait(service: Service) -> None:
    waits = [service.run(0.5, OSError("no such address")) for _ in range(12)]
    assert waits[:2] == [0, 0], "a process that was killed is back within a second"
    assert waits == sorted(waits) and waits[: len(WAITS_S)] == list(WAITS_S) and waits[-1] == 30


def test_a_crash_after_a_long_run_is_a_first_failure(service: Service) -> None:
    for _ in range(9):
        service.run(0.5, OSError())
    assert service.run(LASTED_S, OSError()) > 0
    assert [service.run(LASTED_S, OSError()) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("end", [None, SystemExit(0), SystemExit(None)], ids=["returns", "exit 0", "exit"])
def test_a_clean_exit_resets_the_count(service: Service, end: SystemExit | None) -> None:
    for _ in range(5):
        service.run(0.5, OSError())
    service.run(0.5, end)
    assert [service.run(0.5, OSError()) for _ in range(3)] == [0, 0, 1]


def test_sigterm_while_it_waits_resets_the_count(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        service.run(0.5, OSError())
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(service, "sleep", lambda seconds: os.kill(os.getpid(), signal.SIGTERM))
        with (
            pytest.raises(SystemExit) as ended,
            counted("sampan-agent", service.environment, now=lambda: service.time, sleep=service.sleep),
        ):
            raise AssertionError("it ran nevertheless")
    assert ended.value.code == 0 and signal.getsignal(signal.SIGTERM) == before
    assert service.run(0.5) == 0


@pytest.mark.parametrize("text", ["", "many", "1", "1 2 3", "x y"])
def test_an_unreadable_count_is_zero(service: Service, tmp_path: Path, text: str) -> None:
    (tmp_path / "sampan-agent/failures").write_text(text)
    assert service.run(0.5) == 0


@pytest.mark.parametrize("name", ["", "runner"])
def test_without_a_runtime_directory_of_its_own_nothing_is_counted(service: Service, tmp_path: Path, name: str) -> None:
    """A lab's daemons inherit the runtime directory of the service in which the lab was started."""
    (tmp_path / "runner").mkdir()
    service.environment = {"RUNTIME_DIRECTORY": str(tmp_path / name)} if name else {}
    assert [service.run(0.5, OSError()) for _ in range(4)] == [0, 0, 0, 0]
    assert not any(path.name == "failures" for path in tmp_path.rglob("*"))
