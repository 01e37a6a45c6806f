"""What the API does on its own from time to time: renews its certificate before it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable

from master.clock import Clock
from master.pki import Pki, PkiError

_PERIOD_S = 60.0
log = logging.getLogger(__name__)


async def run(pki: Pki, clock: Clock, reload: Callable[[], None]) -> None:
    """Once a minute, until cancelled. `reload` is called after the serving certificate has been renewed."""
    while True:
        await clock.sleep(_PERIOD_S)
        try:
            if pki.renew(clock.now()):
                log.info("serving certificate renewed")
                reload()
        except (PkiError, OSError) as error:
            log.error("certificates cannot be renewed: %s", error)
