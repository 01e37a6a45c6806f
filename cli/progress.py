"""Shows long work while it goes on: each step with its time. Rewritten lines on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

_REFRESH_S: Final = 1.0


class Progress:
    """The steps of one command, on stderr: stdout is for the result. Steps may run side by side, on threads.

    On a terminal one more thread rewrites the line of running steps each second while there are any.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._changed = threading.Condition()
        self._running: list[tuple[str, float]] = []
        """Name and start of each step, the oldest first."""
        self._refreshing = False
        self.started = clock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step; its time is printed when it ends, also when it fails."""
        step = (name, self._clock())
        self._begin(step)
        try:
            yield
        except BaseException:
            self._end(step, f"{name}: failed after {self._clock() - step[1]:.2f} s")
            raise
        self._end(step, f"{name}: {self._clock() - step[1]:.2f} s")

    def say(self, text: str) -> None:
        """A line between steps."""
        with self._changed:
            self._print(text)
            if self._terminal and self._running:
                self._show_running(self._clock())

    @property
    def total_s(self) -> float:
        return self._clock() - self.started

    def _begin(self, step: tuple[str, float]) -> None:
        with self._changed:
            self._running.append(step)
            if not self._terminal:
                return
            self._show_running(step[1])
            if not self._refreshing:
                self._refreshing = True
                threading.Thread(target=self._refresh, name="progress", daemon=True).start()

    def _end(self, step: tuple[str, float], line: str) -> None:
        with self._changed:
            self._running.remove(step)
            self._print(line)
            if self._terminal and self._running:
                self._show_running(self._clock())
            self._changed.notify()

    def _refresh(self) -> None:
        with self._changed:
            while self._running:
                if not self._changed.wait(_REFRESH_S):
                    self._show_running(self._clock())
            self._refreshing = False

    def _show_running(self, now: float) -> None:
        steps = [f"{name} {int(now - started)} s" if now - started >= 1 else name for name, started in self._running]
        self._write(f"\r\x1b[K{', '.join(steps)} …")

    def _print(self, text: str) -> None:
        clear = "\r\x1b[K" if self._terminal else ""
        self._write(f"{clear}{text}\n")

    def _write(self, text: str) -> None:
        """The work goes on if its progress cannot be written: the disk is full, the terminal was closed."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
