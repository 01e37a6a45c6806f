"""lab/cluster_reset_s: what the fixtures take between two tests on the session's cluster, with five pods each.

Measured in an inner run of pytest, as another project would run it: the time from the end of a test's body to the start
of the next one's, including the leak check.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import pytest

from tests.bench.figure import Figure
from tests.bench.lab import ROOT

TESTS = 8
PODS = 5

TEXT = f"""
import pytest

def pod(name):
    body = {{"containers": [{{"name": "main", "image": "tomcat", "imagePullPolicy": "IfNotPresent"}}]}}
    return {{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": name}}, "spec": body}}

@pytest.mark.parametrize("number", range({TESTS}))
def test_pods(apply, wait_ready, number):
    apply([pod(f"pod-{{each}}") for each in range({PODS})])
    wait_ready()
"""


class _Clock:
    """A plugin that records when the bodies of tests begin and end."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.ended: list[float] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> object:
        self.began.append(time.perf_counter())
        try:
            return (yield)
        finally:
            self.ended.append(time.perf_counter())


def cluster_reset() -> Figure:
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="sampan-bench-") as scratch:
        file = Path(scratch, "test_pods.py")
        file.write_text(TEXT)
        plugins = ("no:cacheprovider", "no:asyncio", "netrig.plugin", "lab.plugin")
        quiet = ["-q", *(f"-p{name}" for name in plugins), "--rootdir", scratch]
        options = [f"--basetemp={scratch}/tmp", f"--sampan={ROOT}/sampan", "-c", "/dev/null"]
        code = pytest.main([*quiet, *options, str(file)], plugins=[clock])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"the inner tests failed: {code!r}")
    gaps = [begin - end for begin, end in zip(clock.began[1:], clock.ended[:-1], strict=True)]
    return Figure("lab", "cluster_reset_s", median(gaps), "s", goal=1.5)
