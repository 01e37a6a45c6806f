"""The watcher of a process: it sweeps what the process left, however the process ended, and then ends itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hull import owner
from hull.processes import record_of
from netrig.plugin import eventually

SWEEPS = """
import sys
from pathlib import Path

def first():
    Path(__file__).with_name("first.swept").touch()
    raise OSError("a sweep that fails keeps no other from its work")

def second():
    Path(__file__).with_name("second.swept").touch()
"""
OWNER = """
import sys, time
from pathlib import Path
from hull.owner import mark
from hull.watcher import watch

places = Path(sys.argv[1])
for sweep in ("first", "second", "second"):
    watch(f"sweeps:{sweep}", places / "absent", places, mark=mark())
if sys.argv[2]:
    (places / f"thing{mark()}1").touch()
print(mark(), flush=True)
if sys.argv[3]:
    time.sleep(600)
"""


def watchers(mark: str) -> list[int]:
    """Pids of the watchers of the process with this mark.

    A watcher that was just started may be missing: the kernel lets posix_spawn return before the new program has its
    arguments in /proc.
    """
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"hull.watcher" in words and mark.encode() in words and record_of(int(path.parent.name)):
            pids.append(int(path.parent.name))
    return pids


@pytest.mark.parametrize("leaves", ["something", ""])
@pytest.mark.parametrize("killed", ["killed", ""])
def test_the_watcher_sweeps_what_a_process_left_and_ends(tmp_path: Path, leaves: str, killed: str) -> None:
    (tmp_path / "sweeps.py").write_text(SWEEPS)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(owner.__file__).parents[1]}"}
    command = [sys.executable, "-c", OWNER, str(tmp_path), leaves, killed]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        mark = process.stdout.readline().strip()
        if killed:
            try:
                eventually(lambda: len(watchers(mark)) == 1)
                assert not list(tmp_path.glob("*.swept"))
            finally:
                process.kill()
        assert process.stdout.read() == "", "the watcher does not keep the owner's output open"
    if leaves:
        # First: a watcher that was just started may not be found yet.
        eventually(lambda: len(list(tmp_path.glob("*.swept"))) == 2)
    eventually(lambda: not watchers(mark))
    assert sorted(path.name for path in tmp_path.glob("*.swept")) == (["first.swept", "second.swept"] if leaves else [])


def test_the_watcher_has_a_session_of_its_own(tmp_path: Path) -> None:
    """So an interrupt at the terminal, which goes to the whole foreground group, does not end it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(owner.__file__).parents[1])}
    command = [sys.executable, "-c", OWNER, str(tmp_path), "", "waits"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        mark = process.stdout.readline().strip()
        try:
            (pid,) = eventually(lambda: watchers(mark))
            assert os.getsid(pid) == pid
        finally:
            process.kill()
