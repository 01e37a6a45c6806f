"""When results of a probe change the state of a container. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from agent.handlers import Probe


@dataclass(frozen=True, slots=True)
class Tally:
    """How often in a row the last result came."""

    passed: bool = False
    count: int = 0

    def after(self, passed: bool) -> Tally:
        """The tally with one more result."""
        return Tally(passed, self.count + 1 if passed is self.passed else 1)

    def decision(self, probe: Probe) -> bool | None:
        """The state of the container by this probe; None below the threshold, where it stays as it is."""
        threshold = probe.success_threshold if self.passed else probe.failure_threshold
        return self.passed if self.count >= threshold else None
