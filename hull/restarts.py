"""A daemon that fails again and again waits longer each time before it starts; one that fails once starts at once.

systemd can do so from 254 on (RestartSteps=), but Debian 12 has 252, and its count never ends: who failed once a month
would wait as long as who fails all the time. Ours lies in the service's runtime directory, which is kept while the
service is restarted and goes when it is stopped. Elsewhere (a lab, a terminal) nothing is counted.
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
"""By how many times in a row it has failed."""
LASTED_S: Final = 60.0
"""Who ran for longer did not fail at its start."""


@contextmanager
def counted(
    service: str,
    environment: Mapping[str, str] = os.environ,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Wait as the failures before ask for; what ends in it by an error, or is killed, is one more.

    `service` is what its runtime directory is called: one of another name is that of who started a lab.
    Raises SystemExit when SIGTERM comes while it waits.
    """
    directory = Path(environment.get("RUNTIME_DIRECTORY", "").partition(":")[0])
    if directory.name != service:
        yield
        return
    file = directory / "failures"
    failures = _failures(file, now())
    wait_s = WAITS_S[min(failures, len(WAITS_S) - 1)]
    with _forgotten_at_an_end(file):
        if wait_s:
            notify.tell(environment, f"STATUS=waiting {wait_s:g} s: it failed {failures} times in a row")
            with _ended_by_sigterm():
                sleep(wait_s)
            notify.tell(environment, "STATUS=")
        with suppress(OSError):
            file.write_text(f"{failures} {now()}\n")
        yield


def _failures(file: Path, now: float) -> int:
    """With the last start, which did not come to an end: else there were no file."""
    try:
        failures, started = file.read_text().split()
        return int(failures) + 1 if now - float(started) < LASTED_S else 1
    except (OSError, ValueError):
        return 0


@contextmanager
def _forgotten_at_an_end(file: Path) -> Iterator[None]:
    """Who ends as it was told to has not failed."""
    try:
        yield
    except SystemExit as ended:
        if not ended.code:
            file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """A person who stops or restarts a service that waits has mended something: nothing is counted any more."""

    def end(*_: object) -> NoReturn:
        sys.exit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
