"""What a pod's worker remembers between steps beside what it observes.

Owns the frozen memory value and its changes, as pure functions. It may be lost (an agent's restart): then back-off is
assumed from the attempts, and actions are tried at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.pods.backoff import Backoff
from agent.runtime.interface import ContainerId
from agent.statuses import Waiting

_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Retry:
    """An action that failed is not tried before `at`; the next failure waits longer. `trouble` is what people see."""

    at: float
    delay_s: float
    trouble: Waiting
    failed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Signals:
    """When a container was asked to end, and made to; 0.0: not yet."""

    asked_at: float = 0.0
    forced_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """See the module's docstring; keys of `busy` and `retries` are actions' keys."""

    started_at: float
    """When the node took the pod up."""
    busy: frozenset[str] = frozenset()
    retries: Mapping[str, Retry] = field(default_factory=dict)
    restarts: Mapping[str, Backoff] = field(default_factory=dict)
    signals: Mapping[ContainerId, Signals] = field(default_factory=dict)
    ends: Mapping[ContainerId, float] = field(default_factory=dict)
    """When the containers that have ended did so."""
    set_ahead_s: float = 0.0
    """By how much the clock was set ahead since `started_at`."""
    ended: bool = False
    """The pod has ended, by its containers: it stays so, whatever becomes of them."""

    def begun(self, key: str) -> Memory:
        """An action is under way."""
        return replace(self, busy=self.busy | {key})

    def succeeded(self, key: str) -> Memory:
        """It is done; earlier failures are forgotten."""
        retries = {each: retry for each, retry in self.retries.items() if each != key}
        return replace(self, busy=self.busy - {key}, retries=retries)

    def given_up(self, key: str) -> Memory:
        """It was broken off."""
        return replace(self, busy=self.busy - {key})

    def failed(
        self,
        key: str,
        trouble: Waiting,
        now: float,
        *,
        first_s: float = _FIRST_RETRY_S,
        longest_s: float = _LONGEST_RETRY_S,
    ) -> Memory:
        """It failed: wait, twice as long as the last time."""
        before = self.retries.get(key)
        delay_s = min(before.delay_s * 2, longest_s) if before else first_s
        retry = Retry(now + delay_s, delay_s, trouble, now)
        return replace(self, busy=self.busy - {key}, retries={**self.retries, key: retry})

    def hurried(self) -> Memory:
        """What the pod waits for may have changed: everything may be tried at once, delays are kept."""
        return replace(self, retries={key: replace(each, at=0.0) for key, each in self.retries.items()})

    def restarted(self, container: str, backoff: Backoff) -> Memory:
        """A container's successor is made."""
        return replace(self, restarts={**self.restarts, container: backoff})

    def forgotten(self, container: ContainerId) -> Memory:
        """A container is removed: nothing about it is kept."""
        return replace(
            self,
            signals={each: signals for each, signals in self.signals.items() if each != container},
            retries={key: retry for key, retry in self.retries.items() if not key.endswith(f"/{container}")},
        )

    def clock_set(self, by_s: float) -> Memory:
        """The wall clock jumped: every wait stays as long as it was."""
        return replace(
            self,
            retries={
                key: replace(each, at=each.at + by_s, failed_at=each.failed_at + by_s)
                for key, each in self.retries.items()
            },
            restarts={name: replace(each, set_at=each.set_at + by_s) for name, each in self.restarts.items()},
            signals={
                each: Signals(*(at and at + by_s for at in (signals.asked_at, signals.forced_at)))
                for each, signals in self.signals.items()
            },
            ends={each: at + by_s for each, at in self.ends.items()},
            set_ahead_s=self.set_ahead_s + by_s,
        )

    def signalled(self, container: ContainerId, now: float, *, force: bool) -> Memory:
        """A container was asked, or made, to end."""
        before = self.signals.get(container, Signals())
        after = replace(before, forced_at=now) if force else replace(before, asked_at=now)
        return replace(self, signals={**self.signals, container: after})
