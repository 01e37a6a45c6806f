"""Deletes expired bootstrap tokens, like Kubernetes' token cleaner: a credential must not outlive its use."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
from datetime import UTC, datetime
from typing import Final

from master import kinds
from master.api.errors import ApiError, Conflict, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.clock import Clock
from master.component.bootstraptoken import NAMESPACE, SECRET_TYPE
from master.kinds.core.secret import Secret
from master.objects.meta import parse_time

PERIOD_S: Final = 30.0
KEEP_S: Final = 300.0
"""A token is kept for this long after its end, so that joining with it fails as expired and not as unknown."""

log = logging.getLogger(__name__)


def ended(secret: Secret, now: datetime) -> bool:
    """Whether the Secret is a token that expired more than KEEP_S ago, or whose expiration cannot be read.

    Joining refuses both.
    """
    if secret.type != SECRET_TYPE or secret.metadata.deletion_timestamp or "expiration" not in secret.data:
        return False
    expiration = datetime.min.replace(tzinfo=UTC)
    with contextlib.suppress(ValueError, binascii.Error):
        expiration = parse_time(base64.b64decode(secret.data["expiration"]).decode())
    return (now - expiration).total_seconds() >= KEEP_S


class TokenCleaner:
    """Deletes expired tokens."""

    name = "token cleaner"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock
        self._caller = component("controller:token-cleaner")

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_S)
            for secret in self._resources.cache.list(kinds.SECRET, NAMESPACE):
                if ended(secret, self._clock.now()):
                    await self._delete(secret)

    async def _delete(self, secret: Secret) -> None:
        meta = secret.metadata
        try:
            await self._resources.delete(self._caller, kinds.SECRET, meta.namespace, meta.name, uid=meta.uid)
        except (NotFound, Conflict):
            return
        except ApiError as error:
            log.warning("token %s: not deleted: %s", meta.name, error)
        else:
            log.info("token %s: deleted, because it has expired", meta.name)
