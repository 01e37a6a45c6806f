"""What is told of peers that do not keep to the contract: the same once a minute, and of one node not without end.

Owns the bound only. A peer that is broken, or wants to fill the disk, must not write our log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from master.clock import Clock

WINDOW_S: Final = 60.0
MOST_TEXTS: Final = 10
"""Different texts of one node in a window."""
MOST_CHARACTERS: Final = 500
"""Of one text: it may repeat what the peer sent."""


@dataclass(slots=True)
class _Window:
    """What was told of one node since `since` (monotonic seconds)."""

    since: float
    texts: set[str] = field(default_factory=set)


class Complaints:
    """Of all nodes of this master: their names come from certificates that we signed, so they are not many."""

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def tell(self, node: str, text: str, *, level: int = logging.WARNING, cause: BaseException | None = None) -> None:
        """Log it with the node's name, unless it was just told; `cause` adds a traceback."""
        now, text = self._clock.monotonic(), text[:MOST_CHARACTERS]
        window = self._windows.get(node)
        if window is None or now - window.since > WINDOW_S:
            window = self._windows[node] = _Window(now)
        if text in window.texts or len(window.texts) > MOST_TEXTS:
            return
        window.texts.add(text)
        if len(window.texts) > MOST_TEXTS:
            self._log.warning("node %s: too much is wrong: the rest of this minute is not told", node)
        else:
            self._log.log(level, "node %s: %s", node, text, exc_info=cause)
