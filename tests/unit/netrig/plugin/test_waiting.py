"""`eventually`: returns the first true result, or fails with what it saw last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netrig.errors import Unexpected
from netrig.plugin import eventually, waiting


def test_it_returns_the_first_true_result() -> None:
    results = iter([0, None, "", "third time", "never"])
    assert eventually(lambda: next(results)) == "third time"


def test_a_failed_assertion_is_tried_again() -> None:
    def conditions() -> Iterator[int]:
        yield from (1, 2, 3)

    numbers = conditions()

    def condition() -> int:
        number = next(numbers)
        assert number == 3, f"{number} is not 3"
        return number

    assert eventually(condition) == 3


def test_another_error_ends_the_wait_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)


def test_the_failure_has_the_message_of_that_moment_and_the_last_result() -> None:
    seen: list[int] = []

    def condition() -> bool:
        seen.append(len(seen))
        return False

    with pytest.raises(Unexpected, match=r"^seen: \[0, .*\(after 0.05 s; last result: False\)$"):
        eventually(condition, within_s=0.05, message=lambda: f"seen: {seen}")


def test_the_failure_has_the_last_failed_assertion() -> None:
    def condition() -> bool:
        raise AssertionError("no pod")

    with pytest.raises(AssertionError, match=r"^the pod runs \(after 0.05 s; no pod\)$"):
        eventually(condition, within_s=0.05, message="the pod runs")


class Clock:
    """Time that passes only in pauses, which it keeps with the moment of their start."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[tuple[float, float]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, pause_s: float) -> None:
        self.pauses.append((self.now, pause_s))
        self.now += pause_s


def test_in_a_long_wait_the_condition_is_called_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    with pytest.raises(Unexpected):
        eventually(lambda: False, within_s=60.0)
    assert all(pause_s <= max(0.05, moment * 0.1) for moment, pause_s in clock.pauses)
    assert max(pause_s for _, pause_s in clock.pauses) == 0.5


def test_a_given_period_is_kept_however_long_the_wait_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    with pytest.raises(Unexpected):
        eventually(lambda: False, within_s=60.0, period_s=0.2)
    assert max(pause_s for _, pause_s in clock.pauses) == 0.2
