"""Interrupts come in pairs, and the second one may hit any line of the code that reports the first."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

SCRIPT: Final = """
import os, signal, sys
from cli import exits, main as entry

def run(*_):
    sys.settrace(trace)
    sys._getframe(1).f_trace = trace
    signal.raise_signal(signal.SIGINT)

def trace(frame, event, argument):
    global steps
    steps += 1
    if steps == chosen:
        signal.raise_signal(signal.SIGINT)
    return trace

def interrupted_twice():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = entry.main(["status"])
    sys.settrace(None)
    assert code == exits.INTERRUPTED
    os._exit(0 if steps >= chosen else 100)

entry._run = run
steps = chosen = 0
while True:
    chosen += 1
    child = os.fork()
    if child == 0:
        interrupted_twice()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 100:
        break
    assert code == 0, f"step {chosen}: {code}"
print(chosen)
"""
"""Interrupts a command, and again at each later step, and prints how many steps there were. Every round has a process
of its own, because an error that a trace function raises corrupts the interpreter's stack of exceptions."""


def test_a_second_interrupt_at_any_line_is_reported_like_the_first() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps > 5
    assert done.stderr == "sampan: interrupted; run the command again to go on\n" * steps
