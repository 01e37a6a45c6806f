"""Progress, tables, durations, the overview, and the policy that keeps services down."""

from __future__ import annotations

import argparse
import io
import threading
from datetime import UTC, datetime, timedelta

import pytest

from cli import progress as progress_module
from cli.durations import duration, remaining
from cli.progress import Progress
from cli.status import render
from cli.tables import table
from cli.tokens import _remaining
from hull.processes import until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_progress_is_a_line_for_each_step() -> None:
    stream, times = io.StringIO(), iter([0.0, 1.0, 3.5, 4.0])
    progress = Progress(stream, clock=lambda: next(times))
    with progress.step("hosts"):
        pass
    progress.say("done")
    assert stream.getvalue() == "hosts: 2.50 s\ndone\n"
    assert progress.total_s == 4.0


def test_a_failed_step_gets_a_line() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), Progress(stream, clock=lambda: 0.0).step("engines"):
        raise ValueError("x")
    assert stream.getvalue() == "engines: failed after 0.00 s\n"


def test_a_terminal_shows_the_running_steps() -> None:
    stream = Terminal()
    progress = Progress(stream, clock=lambda: 0.0)
    with progress.step("a"), progress.step("b"):
        assert stream.getvalue().endswith("\r\x1b[Ka, b …")
        progress.say("remark")
        assert stream.getvalue().endswith("\r\x1b[Kremark\n\r\x1b[Ka, b …")
    assert stream.getvalue().endswith("\r\x1b[Ka: 0.00 s\n")


def test_a_terminal_shows_how_long_a_step_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_REFRESH_S", 0.001)
    stream, now = Terminal(), 0.0
    progress = Progress(stream, clock=lambda: now)
    with progress.step("a"):
        now = 3.9
        assert any(stream.getvalue().endswith("\r\x1b[Ka 3 s …") for _ in until(20.0))
        with progress.step("b"):
            now = 65.0
            assert any(stream.getvalue().endswith("\r\x1b[Ka 65 s, b 61 s …") for _ in until(20.0))
    assert stream.getvalue().endswith("\r\x1b[Ka: 65.00 s\n")
    assert any(not threads("progress") for _ in until(20.0))


def test_elsewhere_nothing_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_REFRESH_S", 0.001)
    with Progress(io.StringIO()).step("a"):
        assert not threads("progress")


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_a_table_s_columns_fit() -> None:
    assert table(("A", "LONG"), [("value", "x")]) == "A      LONG\nvalue  x"


@pytest.mark.parametrize(
    ("expiration", "says"),
    [("never", "-"), ("2026-01-02T00:00:00Z", "24h"), ("2025-12-31T00:00:00Z", "EXPIRED"), ("tomorrow", "?")],
)
def test_the_remaining_time_of_a_token(expiration: str, says: str) -> None:
    assert _remaining(expiration, datetime(2026, 1, 1, tzinfo=UTC)) == says


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800)])
def test_durations(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(None, "?"), (-1, "EXPIRED"), (0, "EXPIRED"), (59, "59s"), (7200, "2h"), (3 * 86400, "3d"), (7199, "119m")],
)
def test_the_remaining_time_is_in_the_largest_unit_that_is_precise_enough(seconds: float | None, says: str) -> None:
    assert remaining(seconds) == says


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "0h", "1.5h"])
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a duration"):
        duration(text)


def test_the_overview_shows_how_to_reach_everything() -> None:
    text = render(
        {
            "server": "https://10.77.0.10:6443",
            "kubeconfig": "/k",
            "services": [
                {"name": "default/web", "clusterIP": "10.96.0.9", "ports": ["80/TCP"], "outside": ["10.77.0.11:31002"]}
            ],
            "nodes": [
                {"name": "node1", "status": "Ready", "address": "10.77.0.11", "podCIDR": "10.244.0.0/24", "pods": 2}
            ],
        }
    )
    assert "export KUBECONFIG=/k" in text
    assert "default/web  10.96.0.9   80/TCP  10.77.0.11:31002" in text
    assert "node1  Ready   10.77.0.11  10.244.0.0/24  2" in text
