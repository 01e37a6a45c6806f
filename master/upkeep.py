"""Looks after the certificates while the master runs: makes them anew before they end, and when the master's addresses
have changed in master.toml. Whoever serves with them notices by itself.
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
    """Once a minute. `moved` is called after the addresses have changed."""

    def __init__(
        self, pki: Pki, clock: Clock, config_path: Path | None, moved: Callable[[MasterConfig], Awaitable[None]]
    ) -> None:
        self._pki = pki
        self._clock = clock
        self._config_path = config_path
        self._moved = moved
        self._untold = False
        """The addresses have changed, and `moved` has not come to its end since."""
        self._trouble = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_S)
            trouble = ""
            try:
                # First: neither a configuration that cannot be read nor a store that cannot write may keep it back.
                for name in self._pki.renew(self._clock.now()):
                    log.info("the %s certificate was renewed", name)
                await self._follow_addresses()
            except (ApiError, SettingsError, PkiError, OSError) as error:
                trouble = str(error)
            if trouble and trouble != self._trouble:
                log.error("certificates cannot be looked after: %s", trouble)
            self._trouble = trouble

    async def _follow_addresses(self) -> None:
        if self._config_path is None:
            return
        addresses = load(self._config_path).advertise_addresses
        if addresses != self._pki.config.advertise_addresses:
            self._pki.advertise(addresses)
            self._untold = True
            log.info("the master's addresses are %s now; its certificate names them", ", ".join(addresses) or "its own")
        if self._untold:
            await self._moved(self._pki.config)
            self._untold = False
