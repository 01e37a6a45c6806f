"""Commands side by side: their output and its order, progress, and that an interruption ends all of them, once."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hull.processes import until
from tests.runner.sidebyside import Run, SideBySide


def python(name: str, code: str, **environment: str) -> Run:
    return Run(name, [sys.executable, "-c", code], environment)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def runs(tmp_path: Path, said: list[str]) -> SideBySide:
    return SideBySide(tmp_path, root=tmp_path, say=said.append)


def shown(runs: SideBySide) -> str:
    output = io.BytesIO()
    runs.show(output)
    return output.getvalue().decode()


def test_outputs_are_shown_in_order_and_closing_lines_are_reported(runs: SideBySide, said: list[str]) -> None:
    with runs:
        runs.start(python("a", "print('one'); print('=== 3 passed in 1.20s ===')"))
        runs.start(python("b", "import sys; print('2 failed', file=sys.stderr); sys.exit(1)"))
        runs.wait()
    assert shown(runs) == "one\n=== 3 passed in 1.20s ===\n2 failed\n"
    assert sorted(said) == ["a: 3 passed in 1.20s", "b: 2 failed"]
    assert [run.code for run in runs.runs] == [0, 1]


def test_one_begins_when_another_has_ended(runs: SideBySide, tmp_path: Path) -> None:
    with runs:
        first = runs.start(python("first", "import sys; open('there', 'w').close(); sys.exit(3)"))
        second = runs.start(python("second", "import os; assert os.path.exists('there')"), after=first)
        runs.wait()
    assert (first.code, second.code) == (3, 0)


@pytest.mark.parametrize(
    ("printed", "told"),
    [("", "a begins"), (".... [  7%]\n..... [ 47%]\n..", "a 47 %"), ("tests/unit/test_x.py ..   [100%]", "a 100 %")],
)
def test_how_far_a_run_is(tmp_path: Path, printed: str, told: str) -> None:
    (tmp_path / "log").write_text(printed)
    run = Run("a", [])
    assert run.how_far(tmp_path / "log") == "a waits"
    run.began = True
    assert run.how_far(tmp_path / "log") == told
    with (tmp_path / "log").open("a") as log:
        log.write("E   much of what failed\n" * 1000)
    assert run.how_far(tmp_path / "log") == told


CLEANS_UP = """
import signal, time
from pathlib import Path
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
try:
    Path("ready").touch()
    while True:
        time.sleep(0.05)  # Python runs no handler in a sleep that begins just after the signal came
except KeyboardInterrupt:
    print("cleaned up", flush=True)
    raise SystemExit(2)
"""


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["from a terminal", "in the background"])
def started(request: pytest.FixtureRequest) -> Iterator[None]:
    """How a shell leaves Ctrl-C to what it starts."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_reaches_all_and_what_has_not_begun_never_does(
    started: None, runs: SideBySide, tmp_path: Path, how: signal.Signals
) -> None:
    def interrupt() -> None:
        assert any((tmp_path / "ready").exists() for _ in until(20.0))
        os.kill(os.getpid(), how)

    with pytest.raises(KeyboardInterrupt), runs:
        first = runs.start(python("first", CLEANS_UP))
        second = runs.start(python("second", "print('never')"), after=first)
        threading.Thread(target=interrupt).start()
        runs.wait()
    assert (first.code, second.code, second.began) == (2, None, False)
    assert shown(runs) == "cleaned up\n"


def test_an_error_of_the_caller_ends_what_runs(runs: SideBySide, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot install"), runs:
        run = runs.start(python("first", CLEANS_UP))
        assert any((tmp_path / "ready").exists() for _ in until(20.0))
        raise RuntimeError("cannot install")
    assert run.code == 2
