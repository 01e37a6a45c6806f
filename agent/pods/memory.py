"""What a pod's worker remembers between steps, in addition to what it observes.

Owns the frozen value and its changes, as pure functions. It is lost when the agent restarts: then the back-off is
derived from the number of attempts, and actions are tried at once.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.pods.actions import Key
from agent.pods.admission import Refusal
from agent.pods.backoff import LONGEST_DELAY_S, Backoff
from agent.pods.verdict import Verdict
from agent.runtime.records import ContainerId
from agent.statuses import Waiting

_PULL_ERROR_SHOWN_S: Final = 2.0
_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Retry:
    """A failed action, not tried again before `at`. `waiting` is shown in the container's status."""

    at: float
    delay_s: float
    waiting: Waiting
    failed_at: float = 0.0
    announced: bool = False
    """The event about the back-off of a pull has been reported."""

    @property
    def backs_off_at(self) -> float:
        """When a failed pull begins to be shown as ImagePullBackOff, and not as ErrImagePull any more."""
        return self.failed_at + _PULL_ERROR_SHOWN_S

    def backs_off(self, now: float) -> bool:
        """Whether this is a failed pull that is shown as ImagePullBackOff by now."""
        return self.waiting.reason == "ErrImagePull" and now >= self.backs_off_at


@dataclass(frozen=True, slots=True)
class Signals:
    """When the preStop hook of a container began (`hooked_at`), and when it got its stop signal (`asked_at`) and
    SIGKILL (`forced_at`); 0.0: not yet, or no hook."""

    asked_at: float = 0.0
    forced_at: float = 0.0
    hooked_at: float = 0.0

    @property
    def began_at(self) -> float:
        """When the stop began; 0.0: not yet."""
        return self.hooked_at or self.asked_at


@dataclass(frozen=True, slots=True)
class Memory:
    """See the module's docstring; keys of `busy` and `retries` are actions' keys."""

    started_at: float
    """When this node started with the pod."""
    busy: frozenset[Key] = frozenset()
    retries: Mapping[Key, Retry] = field(default_factory=dict)
    restarts: Mapping[str, Backoff] = field(default_factory=dict)
    signals: Mapping[ContainerId, Signals] = field(default_factory=dict)
    volumes_until: float = 0.0
    """When the volumes have to be prepared again, because a token ends; 0.0: never."""
    ends: Mapping[ContainerId, float] = field(default_factory=dict)
    """When containers ended."""
    set_ahead_s: float = 0.0
    """Seconds that the clock was set ahead since `started_at`."""
    ended: bool = False
    """The pod has ended. It stays ended, whatever happens to its containers later."""
    refusal: Refusal | None = None
    """Why this node does not run the pod; None if it does."""
    verdict: Verdict | None = None
    """The node's decision that the pod has ended, if it made one."""
    longest_backoff_s: float = LONGEST_DELAY_S
    """By the node's configuration."""

    def signals_of(self, container: ContainerId) -> Signals:
        """The steps of the stop of a container; without a stop none was taken."""
        return self.signals.get(container, Signals())

    def begun(self, key: Key) -> Memory:
        """An action is in progress."""
        return replace(self, busy=self.busy | {key})

    def succeeded(self, key: Key) -> Memory:
        """An action is done; its earlier failures are forgotten."""
        retries = {other: retry for other, retry in self.retries.items() if other != key}
        return replace(self, busy=self.busy - {key}, retries=retries)

    def cancelled(self, key: Key) -> Memory:
        """An action was cancelled."""
        return replace(self, busy=self.busy - {key})

    def failed(
        self,
        key: Key,
        waiting: Waiting,
        now: float,
        *,
        first_s: float = _FIRST_RETRY_S,
        longest_s: float = _LONGEST_RETRY_S,
    ) -> Memory:
        """An action failed: the delay before the next try is doubled."""
        before = self.retries.get(key)
        delay_s = min(before.delay_s * 2, longest_s) if before else first_s
        retry = Retry(now + delay_s, delay_s, waiting, now)
        return replace(self, busy=self.busy - {key}, retries={**self.retries, key: retry})

    def retried_now(self, *, waiting: Container[Key] = ()) -> Memory:
        """The cause of failures may have gone: actions may be retried at once. Delays stay as long as they were.

        `waiting`: actions that still wait for their time.
        """
        retries = {key: retry if key in waiting else replace(retry, at=0.0) for key, retry in self.retries.items()}
        return replace(self, retries=retries)

    def announced(self, key: Key) -> Memory:
        """The back-off of a pull has been reported."""
        return replace(self, retries={**self.retries, key: replace(self.retries[key], announced=True)})

    def restarted(self, container: str, backoff: Backoff) -> Memory:
        """A container was restarted."""
        return replace(self, restarts={**self.restarts, container: backoff})

    def forgotten(self, container: ContainerId) -> Memory:
        """A container was removed: forget everything about it."""
        return replace(
            self.spared(container),
            retries={key: retry for key, retry in self.retries.items() if key.name != container},
        )

    def spared(self, container: ContainerId) -> Memory:
        """A container that was asked to stop goes on. A later stop sends the stop signal again."""
        return replace(self, signals={other: sent for other, sent in self.signals.items() if other != container})

    def clock_set(self, by_s: float) -> Memory:
        """The wall clock was set: shift all times, so that every wait stays as long as it was."""
        return replace(
            self,
            retries={
                key: replace(retry, at=retry.at + by_s, failed_at=retry.failed_at + by_s)
                for key, retry in self.retries.items()
            },
            restarts={name: replace(backoff, set_at=backoff.set_at + by_s) for name, backoff in self.restarts.items()},
            signals={
                container: Signals(
                    *(at and at + by_s for at in (signals.asked_at, signals.forced_at, signals.hooked_at))
                )
                for container, signals in self.signals.items()
            },
            volumes_until=self.volumes_until and self.volumes_until + by_s,
            ends={container: at + by_s for container, at in self.ends.items()},
            set_ahead_s=self.set_ahead_s + by_s,
        )

    def stopping(self, container: ContainerId, now: float) -> Memory:
        """The preStop hook of a container begins."""
        before = self.signals_of(container)
        return replace(self, signals={**self.signals, container: replace(before, hooked_at=now)})

    def signalled(self, container: ContainerId, now: float, *, force: bool) -> Memory:
        """A container got its stop signal, or (`force`) SIGKILL."""
        before = self.signals_of(container)
        after = replace(before, forced_at=now) if force else replace(before, asked_at=now)
        return replace(self, signals={**self.signals, container: after})
