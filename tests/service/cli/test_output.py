"""A command does its work although its output has no reader, is closed, or cannot encode a character."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from cli import exits
from cli.progress import Progress

ROOT: Final = Path(__file__).resolve().parents[3]
COMMAND: Final = """
import sys
from cli import main as entry
from cli.progress import Progress

def run(*_):
    for number in range(10_000):
        print("found", number)
        Progress().say(f"looked at {number}")
    open(sys.argv[1], "w").write("done")
    return 7

entry._run = run
sys.exit(entry.main(["status"]))
"""
"""Prints more than a pipe holds, then does its work and returns 7."""


def run_unread(*argv: str, unread: str) -> subprocess.CompletedProcess[bytes]:
    """Run it with stdout, stderr or both as a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            argv,
            cwd=ROOT,
            stdout=writer if "stdout" in unread else subprocess.PIPE,
            stderr=writer if "stderr" in unread else subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize("unread", ["stdout", "stderr", "stdout and stderr"])
def test_without_a_reader_a_command_does_its_work_and_keeps_its_exit_code(tmp_path: Path, unread: str) -> None:
    done = run_unread(sys.executable, "-c", COMMAND, str(tmp_path / "work"), unread=unread)
    assert (done.returncode, (tmp_path / "work").read_text()) == (7, "done")
    assert b"Traceback" not in (done.stderr or b"") and b"Exception ignored" not in (done.stderr or b"")


def test_a_failure_without_a_reader_keeps_its_exit_code() -> None:
    argv = (sys.executable, "-m", "cli", "status", "--lab", "not-there")
    assert run_unread(*argv, unread="stdout and stderr").returncode == exits.NOT_FOUND


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_fail_a_command_and_no_file_takes_their_place(tmp_path: Path, closed: str) -> None:
    line = f'exec "$0" -c "$1" "$2" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, COMMAND, str(tmp_path / "work")], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (done.returncode, (tmp_path / "work").read_text()) == (7, "done")


@pytest.mark.parametrize("charset", ["latin-1", "ascii"])
@pytest.mark.parametrize("command", [["join", "--help"], ["--help"], ["lab", "--help"]], ids=" ".join)
def test_characters_that_a_charset_lacks_are_escaped(charset: str, command: list[str]) -> None:
    output = _help(command, {"PYTHONIOENCODING": charset})
    assert _help(command, {"PYTHONIOENCODING": "utf-8"}).decode().encode(charset, "backslashreplace") == output


def _help(command: list[str], environment: Mapping[str, str]) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *command],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (exits.OK, b"")
    return done.stdout


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_work_goes_on_if_its_progress_cannot_be_written() -> None:
    progress = Progress(Full())
    done = []
    with progress.step("work"):
        done.append("work")
    progress.say("remark")
    assert done == ["work"]
