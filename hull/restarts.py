"""Restart back-off of a daemon: each failure in a row makes the next start wait longer; a single one costs no wait.

systemd has this from version 254 on (RestartSteps=), but Debian 12 has 252. Its count is also never reset: a daemon
that failed once a month would wait as long as one that fails all the time. Our count is a file in the service's runtime
directory, which systemd keeps while it restarts the service and removes when the service is stopped. Without such a
directory (in a lab, at a terminal) failures are not counted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from hull import notify

WAITS_S: Final = (0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""The wait before a start, by the number of failures in a row before it."""
LASTED_S: Final = 60.0
"""A daemon that ran longer than this did not fail at start-up: its end is the first failure of a new row."""


@contextmanager
def counted(
    service: str,
    environment: Mapping[str, str] = os.environ,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Wait as long as the earlier failures require, then run the block. A block that raises, or is killed, has failed.

    `service`: the name of the service's runtime directory. Any other directory is ignored: a lab's daemons inherit the
    one of the service in which the lab was started. Raises SystemExit when SIGTERM arrives during the wait.
    """
    directory = Path(environment.get("RUNTIME_DIRECTORY", "").partition(":")[0])
    if directory.name != service:
        yield
        return
    file = directory / "failures"
    failures = _failures(file, now())
    wait_s = WAITS_S[min(failures, len(WAITS_S) - 1)]
    with _reset_on_clean_exit(file):
        if wait_s:
            notify.send(environment, f"STATUS=waiting {wait_s:g} s: it failed {failures} times in a row")
            with _exit_on_sigterm():
                sleep(wait_s)
            notify.send(environment, "STATUS=")
        with suppress(OSError):
            file.write_text(f"{failures} {now()}\n")
        yield


def _failures(file: Path, now: float) -> int:
    """Failures in a row so far, the last run included: the file exists only if that run did not exit cleanly."""
    try:
        failures, started = file.read_text().split()
        return int(failures) + 1 if now - float(started) < LASTED_S else 1
    except (OSError, ValueError):
        return 0


@contextmanager
def _reset_on_clean_exit(file: Path) -> Iterator[None]:
    """Reset the count when the block returns or exits with code 0."""
    try:
        yield
    except SystemExit as exit_:
        if not exit_.code:
            file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Exit with code 0, which resets the count: an administrator who stops or restarts the service has repaired it."""

    def exit_cleanly(*_: object) -> NoReturn:
        sys.exit(0)

    before = signal.signal(signal.SIGTERM, exit_cleanly)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
