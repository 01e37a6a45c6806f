"""How long ago moments were that objects name, although the wall clock may have been set meanwhile.

Owns the moments that were looked at lately. At the first look a moment's own time counts, and from then on the
monotonic clock: so neither a minimum time to be ready nor a deadline ends early or late when the clock is set.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from master.clock import Clock

MOST: Final = 10_000
"""The moments that were looked at longest ago are forgotten."""

Age = Callable[[datetime], float]
"""The seconds since a moment, never negative."""


class Moments:
    """`age_s` is the age of a moment. A moment in the future was written before the clock was set back, or by a clock
    that is ahead: at the first look, its age is 0."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: OrderedDict[datetime, float] = OrderedDict()

    def age_s(self, moment: datetime) -> float:
        """Seconds since the moment."""
        now, since = self._clock.monotonic(), self._since.get(moment)
        if since is None:
            since = now - max(0.0, (self._clock.now() - moment).total_seconds())
        self._since[moment] = since
        self._since.move_to_end(moment)
        if len(self._since) > MOST:
            self._since.popitem(last=False)
        return now - since
