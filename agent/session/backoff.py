"""How long to wait before the next try: from 50 ms up to the heartbeat period, with jitter.

Owns the arithmetic only; the caller waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_S: Final = 0.05
FACTOR: Final = 1.6
JITTER: Final = 0.2


class Backoff:
    """Grows with every failure until `reset`."""

    def __init__(self, *, ceiling_s: float, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self.ceiling_s = ceiling_s
        self._uniform = uniform
        self._next_s = FIRST_S

    def reset(self) -> None:
        """It went well."""
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """The wait before the next try."""
        wait_s = min(self._next_s, self.ceiling_s)
        self._next_s = min(self._next_s * FACTOR, self.ceiling_s)
        return wait_s * self._uniform(1 - JITTER, 1 + JITTER)
