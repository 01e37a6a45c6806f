"""The tokens of one pod: asked for when its volumes are prepared, kept in memory, and renewed in time.

Owns when a token is renewed: by the kubelet's rules, when a fifth of its life is left or after a day. A token that
cannot be renewed is used as long as it is valid. Tokens are given up if the master stays away, as after a power failure
of all machines: then they are asked for again and again beside the running pod.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.clock import Clock
from agent.errors import AgentError, MasterAway
from agent.model import Pod, TokenSource
from agent.pods.interface import TokenIssuer
from agent.pods.refs import tokens_of
from agent.volumes.interface import Tokens

_LEFT: Final = 0.2
"""The part of a token's life that is left when it is renewed."""
_LONGEST_S: Final = 24 * 3600.0
_JITTER_S: Final = 10.0
_AWAY_S: Final = 10.0
"""How long a pod waits for a master that is away."""
_RETRY_S: Final = 10.0
"""Until the next attempt, while the pod has a token that is still valid."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """Times by the monotonic clock."""

    text: bytes
    renew_at: float
    ends_at: float


class PodTokens:
    """The tokens of a pod."""

    def __init__(
        self, issuer: TokenIssuer, clock: Clock, *, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._uniform = uniform
        self._held: dict[TokenSource, _Held] = {}
        self._next: dict[TokenSource, float] = {}
        self._away_since: float | None = None
        """When the master was first found to be away; None: it was there at the last attempt."""

    async def of(self, pod: Pod) -> Tokens:
        """All tokens of the pod's volumes that are valid, some of them new."""
        wanted = dict.fromkeys(tokens_of(pod))
        self._held = {source: held for source, held in self._held.items() if source in wanted}
        self._next = {}
        problem = ""
        for source in wanted:
            held = self._held.get(source)
            if held is None or self._clock.monotonic() >= held.renew_at:
                problem = await self._renew(pod, source) or problem
            held = self._held.get(source)
            self._next[source] = held.renew_at if held is not None else self._clock.monotonic() + _RETRY_S
        texts = {source: held.text for source, held in self._held.items()}
        away_s = 0.0 if self._away_since is None else self._clock.monotonic() - self._away_since
        return Tokens(texts, problem, given_up=away_s >= _AWAY_S)

    @property
    def renew_in_s(self) -> float | None:
        """Seconds until `of` should be called again; None: the pod has no tokens."""
        return max(0.0, min(self._next.values()) - self._clock.monotonic()) if self._next else None

    async def _renew(self, pod: Pod, source: TokenSource) -> str:
        """Returns the problem, or an empty text."""
        try:
            text, lifetime_s = await self._issuer.issue(pod, source)
        except AgentError as error:
            if not isinstance(error, MasterAway):
                self._away_since = None
            elif self._away_since is None:
                self._away_since = self._clock.monotonic()
            _LOG.warning("pod %s: no new token of service account %s: %s", pod.ref, pod.service_account, error)
            held, now = self._held.pop(source, None), self._clock.monotonic()
            if held is not None and now < held.ends_at:
                self._held[source] = _Held(held.text, min(now + _RETRY_S, held.ends_at), held.ends_at)
            return str(error)
        self._away_since = None
        now = self._clock.monotonic()
        used_s = min(lifetime_s * (1 - _LEFT), _LONGEST_S) - self._uniform(0.0, _JITTER_S)
        self._held[source] = _Held(text, now + max(used_s, _RETRY_S), now + lifetime_s)
        return ""
