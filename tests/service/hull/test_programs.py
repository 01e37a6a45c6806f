"""Programs that are run to their end: their output, and their failures as one line."""

from __future__ import annotations

import pytest

from hull import programs
from hull.errors import ProgramFailed


def test_a_program_s_output_is_returned_and_it_sees_no_packages_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    script = "umask; echo $LC_ALL $PYTHONPATH $EXTRA; cat"
    assert programs.run("sh", "-c", script, environment={"EXTRA": "x"}) == "0022\nC.UTF-8 x\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sh", "-c", "echo first >&2; echo ' last ' >&2; echo; exit 3"], "sh failed: last"),
        (["sh", "-c", "echo output; exit 1"], "sh failed: output"),
        (["sh", "-c", "exit 1"], "sh failed: it printed nothing"),
        (["sampan-no-such-program"], "there is no sampan-no-such-program on this host"),
        (["/etc/passwd"], "/etc/passwd cannot be run: Permission denied"),
        (["sleep", "10"], "sleep 10 did not end within 0 s"),
    ],
)
def test_a_failure_is_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(ProgramFailed) as failure:
        programs.run(*argv, timeout_s=0.2 if argv[0] == "sleep" else 20.0)
    assert str(failure.value) == message
