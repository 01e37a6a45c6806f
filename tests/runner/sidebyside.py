"""Runs commands in parallel; keeps their output until the end, and shows one after another.

Owns their processes, interrupts all of them, and reports progress. Of pytest it knows only the output: the percentage
of a run, and the closing line.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

_DONE: Final = re.compile(rb"\[ *(\d+)%\]")
_CLOSING: Final = re.compile(r"=*\s*(.*?)\s*=*")
_LAST_BYTES: Final = 4096
_REPORT_PERIOD_S: Final = 20.0
_INTERRUPTIONS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(eq=False)
class Run:
    """One command and its result: `code` is None until it has ended, and stays None if it never began."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    code: int | None = None
    began: bool = False
    percent: int | None = None
    """The last percentage in the output. Kept because long reports of failures may follow it."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set when it has ended or will never begin. An interrupted `Thread.join` would take the thread for ended."""

    def how_far(self, log: Path) -> str:
        """Its progress as text: its closing line, or how much is done."""
        if not self.began:
            return f"{self.name} waits"
        output = _end_of(log)
        if self.code is not None:
            lines = output.decode(errors="replace").strip().splitlines()
            match = _CLOSING.fullmatch(lines[-1]) if lines else None
            return f"{self.name}: {match[1] if match else f'ended with {self.code}'}"
        if done := _DONE.findall(output):
            self.percent = int(done[-1])
        return f"{self.name} begins" if self.percent is None else f"{self.name} {self.percent} %"


class SideBySide:
    """A context manager. After an error or Ctrl-C in its block it interrupts the running commands and waits for them.

    Each command is in a process group of its own, so that a Ctrl-C at the terminal reaches it once, and only through
    us. An interrupted test run removes its clusters; a second signal would end that removal.
    """

    def __init__(self, directory: Path, *, root: Path, say: Callable[[str], None]) -> None:
        """`directory` gets the logs of the commands, which run in `root`."""
        self._directory = directory
        self._root = root
        self._say = say
        self.runs: list[Run] = []
        """In the order in which they were started."""
        self._lock = threading.Lock()
        self._running: dict[Run, subprocess.Popen[bytes]] = {}
        self._stopped = False

    def __enter__(self) -> "SideBySide":
        # A shell starts background jobs with SIGINT ignored. Our children would inherit that, and could not be
        # interrupted at all.
        self._before = {number: signal.signal(number, signal.default_int_handler) for number in _INTERRUPTIONS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._interrupt()
        while not self._all_over():
            try:
                self._wait_for_one(None)
            except KeyboardInterrupt:
                self._interrupt()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self, run: Run, *, after: Run | None = None) -> Run:
        """Start a command, at once or when another one has ended, whatever its exit code."""
        self.runs.append(run)
        threading.Thread(target=self._drive, args=(run, after), name=run.name).start()
        return run

    def wait(self) -> None:
        """Wait until all have ended; reports progress every 20 seconds."""
        reported_at = time.monotonic()
        while not self._all_over():
            self._wait_for_one(max(0.0, reported_at + _REPORT_PERIOD_S - time.monotonic()))
            if time.monotonic() >= reported_at + _REPORT_PERIOD_S:
                reported_at = time.monotonic()
                unfinished = [run for run in self.runs if not run.over.is_set()]
                self._say(", ".join(run.how_far(self._log(run)) for run in unfinished) or "all ended")

    def show(self, output: BinaryIO | None = None) -> None:
        """Write the output of all commands, one after another."""
        output = output or sys.stdout.buffer
        for run in self.runs:
            if run.began:
                with self._log(run).open("rb") as log:
                    shutil.copyfileobj(log, output)
        output.flush()

    def _all_over(self) -> bool:
        return all(run.over.is_set() for run in self.runs)

    def _wait_for_one(self, timeout_s: float | None) -> None:
        next(run for run in self.runs if not run.over.is_set()).over.wait(timeout_s)

    def _drive(self, run: Run, after: Run | None) -> None:
        try:
            if after is not None:
                after.over.wait()
            self._drive_now(run)
        finally:
            run.over.set()

    def _drive_now(self, run: Run) -> None:
        with self._log(run).open("wb") as log:
            with self._lock:
                if self._stopped:
                    return
                self._running[run] = process = subprocess.Popen(
                    run.command, cwd=self._root, env={**os.environ, **run.environment},
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                )  # fmt: skip
                run.began = True
            code = process.wait()
        with self._lock:
            del self._running[run]
        run.code = code if code >= 0 else 128 - code
        self._say(run.how_far(self._log(run)))

    def _interrupt(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGINT)

    def _log(self, run: Run) -> Path:
        return self._directory / f"{run.name}.log"


def _end_of(path: Path) -> bytes:
    with path.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_BYTES))
        return log.read()
