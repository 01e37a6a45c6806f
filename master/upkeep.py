"""Renews the master's certificates while it runs: before they expire, and when the addresses in master.toml change.

The servers notice new certificates themselves, at the next handshake.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hull.errors import SettingsError
from master.api.errors import ApiError
from master.clock import Clock
from master.config import MasterConfig, load
from master.pki import Pki, PkiError

PERIOD_S: Final = 60.0

log = logging.getLogger(__name__)


class Upkeep:
    """Checks once a minute. `moved` is called after the addresses have changed."""

    def __init__(
        self, pki: Pki, clock: Clock, config_path: Path | None, moved: Callable[[MasterConfig], Awaitable[None]]
    ) -> None:
        self._pki = pki
        self._clock = clock
        self._config_path = config_path
        self._moved = moved
        self._pending_move = False
        """The addresses have changed, and `moved` has not succeeded since."""
        self._failure = ""

    async def run(self) -> None:
        """Runs until cancelled. Logs a repeated error once."""
        while True:
            await self._clock.sleep(PERIOD_S)
            failure = ""
            try:
                # First, because neither an unreadable configuration nor a failing store may prevent it.
                for name in self._pki.renew(self._clock.now()):
                    log.info("the %s certificate was renewed", name)
                await self._follow_addresses()
            except (ApiError, SettingsError, PkiError, OSError) as error:
                failure = str(error)
            if failure and failure != self._failure:
                log.error("certificates cannot be kept up to date: %s", failure)
            self._failure = failure

    async def _follow_addresses(self) -> None:
        if self._config_path is None:
            return
        addresses = load(self._config_path).advertise_addresses
        if addresses != self._pki.config.advertise_addresses:
            self._pki.advertise(addresses)
            self._pending_move = True
            log.info("new addresses of the master: %s; its certificate has them", ", ".join(addresses) or "its own")
        if self._pending_move:
            await self._moved(self._pki.config)
            self._pending_move = False
