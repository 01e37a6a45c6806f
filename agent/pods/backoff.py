"""Kubernetes' restart back-off: 10 s, doubled up to 5 minutes, reset after 10 minutes without a failure. A node may set
a smaller limit.

Pure functions over values; does not wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_DELAY_S: Final = 10.0
LONGEST_DELAY_S: Final = 300.0
QUIET_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delay after the next failure, and when it was set."""

    delay_s: float
    set_at: float


def after_restart(
    backoff: Backoff | None, *, failed_at: float, now: float, longest_s: float = LONGEST_DELAY_S
) -> Backoff:
    """A container that ended at `failed_at` is restarted now: the back-off for its next end."""
    if backoff is None or is_reset(backoff, failed_at):
        return Backoff(min(FIRST_DELAY_S, longest_s), now)
    return Backoff(min(backoff.delay_s * 2, longest_s), now)


def wait_s(backoff: Backoff | None, *, failed_at: float, now: float) -> float:
    """Seconds until the restart; 0: at once. Never more than the delay, even if the clock was set back."""
    if backoff is None or is_reset(backoff, failed_at):
        return 0.0
    return max(0.0, min(failed_at + backoff.delay_s - now, backoff.delay_s))


def is_reset(backoff: Backoff, failed_at: float) -> bool:
    """Whether the container ran long enough to count as healthy."""
    return failed_at - backoff.set_at > QUIET_S


def assumed(attempt: int, started_at: float, *, longest_s: float = LONGEST_DELAY_S) -> Backoff | None:
    """The back-off of a container that is older than this agent process, from its number of attempts."""
    if attempt == 0:
        return None
    return Backoff(min(FIRST_DELAY_S * 2.0 ** min(attempt - 1, 10), longest_s), started_at)
