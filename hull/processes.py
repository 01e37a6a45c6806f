"""Processes that outlive the command which started them, known by pid and start time.

Owns starting (detached, output to a log file, in a network namespace), looking, signalling and waiting. A pid alone
says nothing, as pids are given out again; pid and start time name one process for good.
"""

import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hull.errors import StartFailed

_MOST_OF_A_LINE = 300
"""Characters of a failed process's last line that its error shows."""


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process: `started` is its start time in clock ticks since boot, as /proc/PID/stat has it."""

    pid: int
    started: int


def record_of(pid: int) -> ProcessRecord | None:
    """The record of a live process; None when there is none, or a zombie."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return ProcessRecord(pid, int(fields[19]))


def start(argv: Sequence[str], *, log: Path, env: Mapping[str, str], netns: Path | None = None) -> ProcessRecord:
    """Start `argv` in a session of its own, in `netns` if given, output appended to `log`.

    `posix_spawn` does not fork this process (gRPC may run in it), and leaves no object that must be waited for.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*(("/usr/bin/nsenter", f"--net={netns}", "--wd=/", "--") if netns else ()), *argv]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o640),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawnp(command[0], command, dict(env), file_actions=actions, setsid=True)
    except OSError as error:
        raise StartFailed(f"cannot start {argv[0]}: {error.strerror}") from error
    fields = _stat(pid)  # there in any case: an ended child stays, as a zombie, until it is reaped
    return ProcessRecord(pid, int(fields[19]) if fields else 0)


def alive(record: ProcessRecord) -> bool:
    """Whether this very process still runs. Reaps it when it was our child and has ended."""
    if record_of(record.pid) == record:
        return True
    reap(record.pid)
    return False


def send(record: ProcessRecord, signal_number: int) -> bool:
    """Signal this very process; False when it is gone. The pid is pinned while we look, so no other can be hit."""
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return False
    try:
        if record_of(record.pid) != record:
            return False
        signal.pidfd_send_signal(descriptor, signal_number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def wait(record: ProcessRecord, timeout_s: float) -> bool:
    """Wait for the end of this process; False when it still runs after `timeout_s`."""
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return True
    try:
        if record_of(record.pid) != record:
            reap(record.pid)
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        ended = bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(descriptor)
    if ended:
        reap(record.pid)
    return ended


def stop(record: ProcessRecord, *, timeout_s: float = 10.0) -> bool:
    """SIGTERM, wait, and SIGKILL when it took too long. True when it ended by itself in time."""
    send(record, signal.SIGTERM)
    send(record, signal.SIGCONT)
    if wait(record, timeout_s):
        return True
    kill(record)
    return False


def kill(record: ProcessRecord) -> None:
    """SIGKILL, and wait until it is gone."""
    send(record, signal.SIGKILL)
    wait(record, 10.0)


def wait_reaped(records: Iterable[ProcessRecord], timeout_s: float) -> None:
    """Wait until ended processes are off the process table too; some inits take a second to collect orphans."""
    left = [record.pid for record in records]
    for _ in until(timeout_s):
        left = [pid for pid in left if _stat(pid) is not None]
        if not left:
            return


def pause(record: ProcessRecord) -> bool:
    """Stop the process's clock: it runs no more until `resume`, as a machine that hangs."""
    return send(record, signal.SIGSTOP)


def resume(record: ProcessRecord) -> bool:
    return send(record, signal.SIGCONT)


def paused(record: ProcessRecord) -> bool:
    """Whether this very process is there and does not run."""
    fields = _stat(record.pid)
    return fields is not None and fields[0] == "T" and int(fields[19]) == record.started


def tail(log: Path) -> str:
    """Where a failed process's log is and how it ends, to be put behind an error's line; empty when there is none."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return ""
    return f": {lines[-1][:_MOST_OF_A_LINE]} (log: {log})" if lines else f" (its log {log} is empty)"


def until(deadline_s: float, interval_s: float = 0.005) -> "Patience":
    """An iterator that yields until `deadline_s` from now, pausing a little longer each time (at most 50 ms)."""
    return Patience(time.monotonic() + deadline_s, interval_s)


@dataclass(slots=True)
class Patience:
    """Polling with a bound, for what no descriptor announces (a socket that appears)."""

    deadline: float
    interval_s: float
    first: bool = True

    def __iter__(self) -> "Patience":
        return self

    def __next__(self) -> float:
        """Seconds left."""
        if not self.first:
            time.sleep(self.interval_s)
            self.interval_s = min(self.interval_s * 1.2, 0.05)
        self.first = False
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise StopIteration
        return left


def reap(pid: int) -> None:
    """Collect an ended child, so that it is no zombie; not ours: init's business."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on (field 3); the name before them may contain anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
