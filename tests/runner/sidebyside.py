"""Commands side by side; what they say is kept until the end, and shown one after another.

Owns their processes, the interruption of all of them, and telling how far they are. Knows of pytest only what it
prints: how much of a run is done, and its closing line.
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
_TOLD_EVERY_S: Final = 20.0
_INTERRUPTIONS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(eq=False)
class Run:
    """One command and what came of it: `code` is None until it has ended, and stays None when it never began."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    code: int | None = None
    began: bool = False
    percent: int | None = None
    """As last seen: what failed is told at length behind it."""
    over: threading.Event = field(default_factory=threading.Event)
    """It has ended, or will never begin. (A `Thread.join` that a signal interrupts takes the thread for ended.)"""

    def how_far(self, log: Path) -> str:
        """For people: its closing line, or how much is done."""
        if not self.began:
            return f"{self.name} waits"
        said = _end_of(log)
        if self.code is not None:
            lines = said.decode(errors="replace").strip().splitlines()
            found = _CLOSING.fullmatch(lines[-1]) if lines else None
            return f"{self.name}: {found[1] if found else f'ended with {self.code}'}"
        if done := _DONE.findall(said):
            self.percent = int(done[-1])
        return f"{self.name} begins" if self.percent is None else f"{self.name} {self.percent} %"


class SideBySide:
    """A context: left by an error or by Ctrl-C, it interrupts what runs and waits for it.

    Each command is in a process group of its own, so that a Ctrl-C at the terminal reaches it through us only, and
    once: a test run that is interrupted takes its clusters away, and a second signal would end just that.
    """

    def __init__(self, directory: Path, *, root: Path, say: Callable[[str], None]) -> None:
        """`directory` is for what they say; they run in `root`."""
        self._directory = directory
        self._root = root
        self._say = say
        self.runs: list[Run] = []
        """In the order in which they were started."""
        self._lock = threading.Lock()
        self._running: dict[Run, subprocess.Popen[bytes]] = {}
        self._stopped = False

    def __enter__(self) -> "SideBySide":
        # Also where whoever started us ignores Ctrl-C, as shells do for what runs in the background: what we start
        # would inherit that, and could not be interrupted at all.
        self._before = {each: signal.signal(each, signal.default_int_handler) for each in _INTERRUPTIONS}
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
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def start(self, run: Run, *, after: Run | None = None) -> Run:
        """Begin a command, at once or when another one has ended, whatever came of that."""
        self.runs.append(run)
        threading.Thread(target=self._drive, args=(run, after), name=run.name).start()
        return run

    def wait(self) -> None:
        """Until all have ended; tells every now and then how far they are."""
        told = time.monotonic()
        while not self._all_over():
            self._wait_for_one(max(0.0, told + _TOLD_EVERY_S - time.monotonic()))
            if time.monotonic() >= told + _TOLD_EVERY_S:
                told = time.monotonic()
                going = [run for run in self.runs if not run.over.is_set()]
                self._say(", ".join(run.how_far(self._log(run)) for run in going) or "all ended")

    def show(self, output: BinaryIO | None = None) -> None:
        """All that they said, one after another."""
        output = output or sys.stdout.buffer
        for run in self.runs:
            if run.began:
                with self._log(run).open("rb") as said:
                    shutil.copyfileobj(said, output)
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
