"""Renews the certificates while the master runs: before they expire, and when the master's addresses have changed in
master.toml. The servers that use them notice by themselves (`Pki.generation`).
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
    """Checks once a minute. Calls `moved` after the addresses have changed."""

    def __init__(
        self, pki: Pki, clock: Clock, config_path: Path | None, moved: Callable[[MasterConfig], Awaitable[None]]
    ) -> None:
        self._pki = pki
        self._clock = clock
        self._config_path = config_path
        self._moved = moved
        self._moved_pending = False
        """The addresses have changed, and `moved` has not succeeded since."""
        self._trouble = ""

    async def run(self) -> None:
        """Runs until cancelled. Logs a repeated error once."""
        while True:
            await self._clock.sleep(PERIOD_S)
            trouble = ""
            try:
                # Renew first: an unreadable configuration or a store that cannot write must not prevent it.
                for name in self._pki.renew(self._clock.now()):
                    log.info("the %s certificate was renewed", name)
                await self._follow_addresses()
            except (ApiError, SettingsError, PkiError, OSError) as error:
                trouble = str(error)
            if trouble and trouble != self._trouble:
                log.error("certificates cannot be kept up to date: %s", trouble)
            self._trouble = trouble

    async def _follow_addresses(self) -> None:
        if self._config_path is None:
            return
        addresses = load(self._config_path).advertise_addresses
        if addresses != self._pki.config.advertise_addresses:
            self._pki.advertise(addresses)
            self._moved_pending = True
            log.info("the master's addresses are now: %s; its certificate has them", ", ".join(addresses) or "its own")
        if self._moved_pending:
            await self._moved(self._pki.config)
            self._moved_pending = False
