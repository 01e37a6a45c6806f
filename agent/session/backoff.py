"""Back-off between attempts to open a session: from 50 ms up to a ceiling, with jitter.

Computes the delays only; the caller waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_S: Final = 0.05
FACTOR: Final = 1.6
JITTER: Final = 0.2


class Backoff:
    """The delay grows with every attempt until `reset`."""

    def __init__(self, *, ceiling_s: float, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self.ceiling_s = ceiling_s
        self._uniform = uniform
        self._next_s = FIRST_S

    def reset(self) -> None:
        """Start again with the shortest delay."""
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """The delay before the next attempt."""
        wait_s = min(self._next_s, self.ceiling_s)
        self._next_s = min(self._next_s * FACTOR, self.ceiling_s)
        return wait_s * self._uniform(1 - JITTER, 1 + JITTER)
