"""A settable clock and a disk that refuses writes: their effects on programs, and how they are undone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.environment import clean_environment
from lab.hosts import clock, immutable
from lab.layout import HostPaths

_CLOCKS = """
import sys, time
for _ in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""


def test_the_wall_clock_jumps_and_the_monotonic_clock_does_not(tmp_path: Path) -> None:
    paths = HostPaths(tmp_path, tmp_path / "netns")
    paths.etc.mkdir()
    assert clock.environment(paths) == {}
    clock.put(paths, 0.0)
    environment = clean_environment(**clock.environment(paths))
    with subprocess.Popen(
        [sys.executable, "-u", "-c", _CLOCKS],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdin is not None and program.stdout is not None
        for ahead_s in (0.0, 3600.0, -3600.0, 0.5):
            clock.put(paths, ahead_s)
            before = time.time(), time.monotonic()
            program.stdin.write("now\n")
            program.stdin.flush()
            wall, monotonic = map(float, program.stdout.readline().split())
            assert before[0] <= wall - ahead_s <= time.time() and before[1] <= monotonic <= time.monotonic()
        program.stdin.close()


def test_a_disk_refuses_writes_even_through_open_files_until_they_are_allowed_again(tmp_path: Path) -> None:
    disk, inside = tmp_path / "disk", tmp_path / "disk" / "inside"
    inside.mkdir(parents=True)
    (disk / "link").symlink_to(tmp_path)
    with (inside / "open").open("wb", buffering=0) as file:
        file.write(b"before")
        immutable.refuse(disk)
        try:
            for attempt in (
                lambda: file.write(b"more"),
                lambda: os.pwrite(file.fileno(), b"over", 0),
                (inside / "new").touch,
                (inside / "open").unlink,
                (disk / "link").unlink,
                inside.rmdir,
                lambda: inside.rename(disk / "elsewhere"),
            ):
                with pytest.raises(PermissionError):
                    attempt()
            assert (inside / "open").read_bytes() == b"before"
            (tmp_path / "beside").touch()
        finally:
            immutable.allow(disk)
        file.write(b" and after")
    assert (inside / "open").read_bytes() == b"before and after"
    (inside / "new").touch()
    immutable.allow(disk)
    immutable.allow(tmp_path / "nowhere")
