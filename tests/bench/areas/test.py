"""test/unit_s and test/seconds: the pure unit tier alone, and `./sampan test` as a whole, with everything installed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.lab import ROOT


def measure() -> Iterator[Figure]:
    yield Figure("test", "unit_s", _seconds("unit"), "s", goal=60.0)
    yield Figure("test", "seconds", _seconds(), "s", goal=480.0)


def _seconds(*words: str) -> float:
    start = time.perf_counter()
    command = [str(ROOT / "sampan"), "test", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        try:
            code = run.wait()
        finally:
            # A run that gets SIGTERM removes its engines and machines; a killed one would leave them.
            run.terminate()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return time.perf_counter() - start
