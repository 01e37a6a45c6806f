"""Back-off as Kubernetes documents it: 10 s, doubled each time up to 5 minutes, forgotten after 10 quiet minutes.

Owns the arithmetic, as pure functions over values. Does not wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_DELAY_S: Final = 10.0
LONGEST_DELAY_S: Final = 300.0
QUIET_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait that follows the next failure, and when it was set."""

    delay_s: float
    set_at: float


def after_restart(backoff: Backoff | None, *, failed_at: float, now: float) -> Backoff:
    """A container that ended at `failed_at` is started again now: what its next end will have to wait."""
    if backoff is None or is_forgotten(backoff, failed_at):
        return Backoff(FIRST_DELAY_S, now)
    return Backoff(min(backoff.delay_s * 2, LONGEST_DELAY_S), now)


def wait_s(backoff: Backoff | None, *, failed_at: float, now: float) -> float:
    """Seconds from now until the restart; 0: at once. Never more than the delay, also when the clock was set back."""
    if backoff is None or is_forgotten(backoff, failed_at):
        return 0.0
    return max(0.0, min(failed_at + backoff.delay_s - now, backoff.delay_s))


def is_forgotten(backoff: Backoff, failed_at: float) -> bool:
    """It ran long enough to count as healthy."""
    return failed_at - backoff.set_at > QUIET_S


def assumed(attempt: int, started_at: float) -> Backoff | None:
    """For a container found at the agent's start: what an agent that had been there all along would remember."""
    if attempt == 0:
        return None
    return Backoff(min(FIRST_DELAY_S * 2.0 ** min(attempt - 1, 10), LONGEST_DELAY_S), started_at)
