"""Ends the pods in order when the host itself shuts down (Kubernetes: "graceful node shutdown").

Owns how that is known, and the order of the steps. systemd stops the agent before the container engine, because that is
the order of their units, so containers can still end by themselves. A stop of the agent alone leaves them running.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final, Protocol

from agent.clock import Clock, wait_until
from agent.config import AgentConfig
from hull import notify, programs, systemd
from hull.errors import HullError

REPORTED_S: Final = 5.0
"""How long the agent waits until the master has the last statuses. The verdicts are on disk, so they are not lost."""
_MARGIN_S: Final = 10.0
_QUESTION_S: Final = 5.0

_LOG = logging.getLogger(__name__)


class EndsPods(Protocol):
    """The part of PodManager (agent/pods) that is used."""

    async def shut_down(self, *, grace_s: int, critical_s: int) -> None: ...


class ShutsDown(Protocol):
    """The part of Node that is used."""

    def shutting_down(self) -> None: ...


class Delivers(Protocol):
    """The part of ReportQueue (agent/session) that is used."""

    @property
    def idle(self) -> bool: ...


class Shutdown:
    """What happens between the signal that ends the agent and its end."""

    def __init__(
        self,
        config: AgentConfig,
        node: ShutsDown,
        pods: EndsPods,
        reports: Delivers,
        clock: Clock,
        *,
        host_shuts_down: Callable[[], bool] | None = None,
        tell_systemd: Callable[[str], None] | None = None,
    ) -> None:
        self._grace_s = config.shutdown_grace_period_s
        self._critical_s = config.shutdown_grace_period_critical_pods_s
        self._node = node
        self._pods = pods
        self._reports = reports
        self._clock = clock
        self._host_shuts_down = host_shuts_down or _asked
        self._tell_systemd = tell_systemd or (lambda state: notify.send(os.environ, state))

    async def run(self) -> None:
        """End all pods and report that, if the host is shutting down and agent.toml grants them time for it."""
        if not self._grace_s or not await asyncio.to_thread(self._host_shuts_down):
            return
        _LOG.warning("the host is shutting down: ending all pods within %d s", self._grace_s)
        longest_s = self._grace_s + REPORTED_S + _MARGIN_S
        self._tell_systemd(f"EXTEND_TIMEOUT_USEC={int(longest_s * 1e6)}")
        self._node.shutting_down()
        await self._pods.shut_down(grace_s=self._grace_s, critical_s=self._critical_s)
        await wait_until(self._clock, lambda: self._reports.idle, within_s=REPORTED_S)


def _asked() -> bool:
    """What systemd says; False where it does not run the host, or does not answer."""
    if not systemd.runs_this_host():
        return False
    try:
        return systemd.is_shutting_down(lambda *argv: programs.run(*argv, timeout_s=_QUESTION_S))
    except HullError as error:
        _LOG.warning("whether the host is shutting down is not known, so pods keep running: %s", error)
        return False
