"""test/seconds: `./sampan test` as a whole, with everything installed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.lab import ROOT


def measure() -> Iterator[Figure]:
    start = time.perf_counter()
    subprocess.run([str(ROOT / "sampan"), "test"], check=True, stdout=subprocess.DEVNULL)
    yield Figure("test", "seconds", time.perf_counter() - start, "s", goal=900.0)
