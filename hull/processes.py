"""Processes that outlive the command which started them, identified by pid and start time.

Starts them (detached, with their output in a log file, in a network namespace), checks, signals and awaits them. The
kernel reuses pids, so a pid alone does not identify a process; pid and start time do.
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
"""Number of characters of a log's last line that an error message shows."""


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process. `started`: its start time in clock ticks since boot, from /proc/PID/stat."""

    pid: int
    started: int


def record_of(pid: int) -> ProcessRecord | None:
    """The record of a live process; None if there is none, or only a zombie."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return ProcessRecord(pid, int(fields[19]))


def start(argv: Sequence[str], *, log: Path, env: Mapping[str, str], netns: Path | None = None) -> ProcessRecord:
    """Start `argv` in a session of its own, in `netns` if given, with its output appended to `log`.

    Uses posix_spawn: this process may run gRPC, which does not survive a fork. Raises StartFailed.
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
    fields = _stat(pid)  # exists in any case: a child that has ended is a zombie until it is reaped
    return ProcessRecord(pid, int(fields[19]) if fields else 0)


def alive(record: ProcessRecord) -> bool:
    """Whether this process still runs. Reaps it if it is an ended child of this process."""
    if record_of(record.pid) == record:
        return True
    reap(record.pid)
    return False


def send(record: ProcessRecord, signal_number: int) -> bool:
    """Signal this process; False if it has ended. A pidfd pins the pid, so no other process can get the signal."""
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
    """Wait for the end of this process; False if it still runs after `timeout_s`."""
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
    """SIGTERM, wait, and SIGKILL after `timeout_s`. True if SIGKILL was not needed. Ends frozen processes too."""
    send(record, signal.SIGTERM)
    send(record, signal.SIGCONT)
    if wait(record, timeout_s):
        return True
    kill(record)
    return False


def kill(record: ProcessRecord) -> None:
    """SIGKILL, and wait for the end."""
    send(record, signal.SIGKILL)
    wait(record, 10.0)


def wait_reaped(records: Iterable[ProcessRecord], timeout_s: float) -> None:
    """Wait until ended processes have left the process table; some init processes take a second to reap orphans."""
    left = [record.pid for record in records]
    for _ in until(timeout_s):
        left = [pid for pid in left if _stat(pid) is not None]
        if not left:
            return


def pause(record: ProcessRecord) -> bool:
    """Freeze the process (SIGSTOP) until `resume`; False if it has ended."""
    return send(record, signal.SIGSTOP)


def resume(record: ProcessRecord) -> bool:
    """Continue a frozen process (SIGCONT); False if it has ended."""
    return send(record, signal.SIGCONT)


def paused(record: ProcessRecord) -> bool:
    """Whether this process exists and is frozen."""
    fields = _stat(record.pid)
    return fields is not None and fields[0] == "T" and int(fields[19]) == record.started


def tail(log: Path) -> str:
    """The last line of a log and its path, to be appended to an error message; empty if there is no log."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return ""
    return f": {lines[-1][:_MOST_OF_A_LINE]} (log: {log})" if lines else f" (the log {log} is empty)"


def until(deadline_s: float, interval_s: float = 0.005) -> "Patience":
    """An iterator that ends `deadline_s` from now. The pauses between its items grow up to 50 ms."""
    return Patience(time.monotonic() + deadline_s, interval_s)


@dataclass(slots=True)
class Patience:
    """Bounded polling, for what cannot be waited for on a descriptor (such as a socket file that appears)."""

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
    """Reap an ended child. Does nothing for a process that is not a child of this one."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state (field 3) on; the name before it may contain any character."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
