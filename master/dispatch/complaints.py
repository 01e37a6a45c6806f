"""A rate-limited log of errors that peers cause: each text once a minute, and a limited number of texts for each node.

Owns only the limits. A broken or hostile peer must not be able to fill the disk with our log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from master.clock import Clock

WINDOW_S: Final = 60.0
MAX_TEXTS: Final = 10
"""Distinct texts about one node in a window."""
MAX_CHARACTERS: Final = 500
"""In one text, which may repeat what the peer sent."""


@dataclass(slots=True)
class _Window:
    """The texts logged about one node since `since` (monotonic seconds)."""

    since: float
    texts: set[str] = field(default_factory=set)


class Complaints:
    """The log for all nodes. Bounded by the number of their names, which stand in certificates that we signed."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def log(self, node: str, text: str, *, level: int = logging.WARNING, cause: BaseException | None = None) -> None:
        """Logs the text with the node's name, unless the window already has it; `cause` adds a traceback."""
        now, text = self._clock.monotonic(), text[:MAX_CHARACTERS]
        window = self._windows.get(node)
        if window is None or now - window.since > WINDOW_S:
            window = self._windows[node] = _Window(now)
        if text in window.texts or len(window.texts) > MAX_TEXTS:
            return
        window.texts.add(text)
        if len(window.texts) > MAX_TEXTS:
            self._logger.warning("node %s: too many different errors: no more are logged for a minute", node)
        else:
            self._logger.log(level, "node %s: %s", node, text, exc_info=cause)
