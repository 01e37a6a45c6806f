"""Shows long work as it goes: each step with its time. Rewritten lines on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class Progress:
    """Steps of one command, told on stderr: stdout is for the result. Steps may run side by side, on threads."""

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._lock = threading.Lock()
        self._running: list[str] = []
        self.started = clock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step; its time is told at its end, also when it fails."""
        begun = self._clock()
        self._change(name, begins=True)
        try:
            yield
        except BaseException:
            self._change(name, begins=False, line=f"{name}: failed after {self._clock() - begun:.2f} s")
            raise
        self._change(name, begins=False, line=f"{name}: {self._clock() - begun:.2f} s")

    def say(self, text: str) -> None:
        """A line between steps."""
        with self._lock:
            self._print(text)

    @property
    def total_s(self) -> float:
        return self._clock() - self.started

    def _change(self, name: str, *, begins: bool, line: str = "") -> None:
        with self._lock:
            if begins:
                self._running.append(name)
            else:
                self._running.remove(name)
            if line:
                self._print(line)
            if self._terminal and self._running:
                self._write(f"\r\x1b[K{', '.join(self._running)} …")

    def _print(self, text: str) -> None:
        clear = "\r\x1b[K" if self._terminal else ""
        self._write(f"{clear}{text}\n")

    def _write(self, text: str) -> None:
        """The work goes on where nobody can be told of it: on a full disk, a terminal that was closed."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
