"""Runs the sandbox's program: it ends at a signal and reaps children."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from agent.runtime import pause
from agent.runtime.errors import BadRequest

_BECOME = """
import ctypes, os, subprocess, sys
child = subprocess.Popen(["cat"], stdin=int(sys.argv[2]), stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
os.execv(sys.argv[1], sys.argv[1:2])
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "pause"
    made.write_bytes(pause.program(platform.machine()))
    made.chmod(0o755)
    return made


def until_it_waits(pid: int) -> None:
    """Wait until it sleeps, which it does only while waiting for signals: before it has blocked them, they end it."""
    status = Path(f"/proc/{pid}/status")
    while not re.match(r"Name:\tpause\n(.*\n)*State:\tS", status.read_text()):
        os.sched_yield()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_ends_at_sigterm_and_sigint_only(program: Path, number: signal.Signals) -> None:
    with subprocess.Popen([program]) as process:
        until_it_waits(process.pid)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR1)
        process.send_signal(number)
        assert process.wait(timeout=30) == 0


def test_it_reaps_its_children(program: Path) -> None:
    here, there = os.pipe()
    command = [sys.executable, "-c", _BECOME, str(program), str(here)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[here]) as process:
        os.close(here)
        assert process.stdout
        child = process.stdout.readline().strip()
        until_it_waits(process.pid)
        os.close(there)
        while Path("/proc", child).exists():
            os.sched_yield()
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_an_archive_is_reproducible_and_describes_its_content(machine: str) -> None:
    made = pause.archive(machine)
    assert made == pause.archive(machine)
    with tarfile.open(fileobj=io.BytesIO(made)) as image:
        content = {entry.name: image.extractfile(entry).read() for entry in image}  # type: ignore[union-attr]
    (image,) = json.loads(content["manifest.json"])
    config = json.loads(content[image["Config"]])
    (layer,) = image["Layers"]
    assert image["RepoTags"] == [pause.REFERENCE]
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(content[layer]).hexdigest()]
    with tarfile.open(fileobj=io.BytesIO(content[layer])) as files:
        (only,) = files.getmembers()
        assert (f"/{only.name}", only.mode) == (config["config"]["Entrypoint"][0], 0o755)
        assert files.extractfile(only).read() == pause.program(machine)  # type: ignore[union-attr]


def test_an_unsupported_machine_is_an_error() -> None:
    with pytest.raises(BadRequest, match="pause_image"):
        pause.archive("s390x")
